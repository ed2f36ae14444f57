/* guest_agent.h - answers for those who ask from outside, on a port of their own.
 *
 *     TOKEN ps        the processes that there are in here, a line each
 *     TOKEN kill N    signal N goes to the program; "none" where there is none yet
 *
 * An answer begins with the line TOKEN, for who asked before may have left without
 * reading all of theirs; it ends with an empty line.
 * `minirun vm inspect` and `vm stop` ask. Included by guest.c.
 */

/* A port that has nobody at its other end is always "hung up", so it is not waited
 * for; SIGIO comes when somebody opens it: virtio_console.c, fcntl(2). */
static int somebody_asks;

static void look_who_asks(void)
{
	struct pollfd port = { .fd = agent, .events = POLLIN };

	somebody_asks = poll(&port, 1, 0) >= 0 && !(port.revents & POLLHUP);
}

/* Whoever asked may leave before the answer is out, or stop reading: our program
 * must not wait for that. A port without a reader says EAGAIN for ever. But that one
 * has left and the next one has come are two pieces of news, and a question is read
 * at once, be it before or between them: hence some patience, in milliseconds. */
static void tell(const char *bytes, size_t length)
{
	struct pollfd port = { .fd = agent, .events = POLLOUT };
	int patience = 100;

	while (somebody_asks && length > 0) {
		ssize_t sent = write(agent, bytes, length);

		if (sent > 0) {
			bytes += sent;
			length -= sent;
		} else if (poll(&port, 1, 1000) > 0 && port.revents & POLLHUP && patience-- > 0) {
			usleep(1000); /* poll(2) would say POLLHUP at once, again and again */
		} else if (!port.revents || port.revents & (POLLHUP | POLLERR)) {
			somebody_asks = 0;
		}
	}
}

/* In kilobytes, 0 for a thread of the kernel. What stat says of it lags behind. */
static long resident(const char *pid)
{
	char path[300], line[128];
	long kilobytes = 0;

	snprintf(path, sizeof path, "/proc/%s/smaps_rollup", pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "Rss: %ld kB", &kilobytes) == 1)
			break;
	if (file)
		fclose(file);
	return kilobytes;
}

/* A process calls itself as it likes, and must not end our line. */
static char *plain(char *name)
{
	for (char *c = name; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	return name;
}

static void tell_processes(void)
{
	DIR *all = opendir("/proc");

	for (struct dirent *one; all && (one = readdir(all));) {
		char path[300], stat[1024], command[256] = "", line[1600], state = '?', *name, *end;
		long parent = 0;
		FILE *file;

		if (one->d_name[0] < '0' || one->d_name[0] > '9')
			continue;
		snprintf(path, sizeof path, "/proc/%s/stat", one->d_name);
		if (!(file = fopen(path, "re")))
			continue;
		size_t got = fread(stat, 1, sizeof stat - 1, file);
		fclose(file);
		stat[got] = 0;
		if (!(name = strchr(stat, '(')) || !(end = strrchr(stat, ')')))
			continue;
		*end = 0;
		sscanf(end + 2, "%c %ld", &state, &parent);
		snprintf(path, sizeof path, "/proc/%s/cmdline", one->d_name);
		if ((file = fopen(path, "re"))) {
			got = fread(command, 1, sizeof command - 1, file);
			for (size_t i = 0; i + 1 < got; i++)
				if (command[i] == 0)
					command[i] = ' ';
			command[got] = 0;
			fclose(file);
		}
		int length = snprintf(line, sizeof line, "%s %ld %c %ld %s\t%s\n", one->d_name, parent, state,
				      resident(one->d_name), plain(name + 1), plain(command));
		tell(line, length < (int)sizeof line ? length : (int)sizeof line - 1);
	}
	if (all)
		closedir(all);
}

static void answer(const char *line)
{
	char token[32], what[8], begin[40];
	int number = 0;

	if (sscanf(line, "%31s %7s %d", token, what, &number) < 2)
		return;
	tell(begin, snprintf(begin, sizeof begin, "%s\n", token));
	if (!strcmp(what, "ps"))
		tell_processes();
	else if (!strcmp(what, "kill") && (program.pid <= 0 || kill(program.pid, number)))
		tell("none\n", 5);
	tell("\n", 1);
}

static void hear(void)
{
	static char line[128];
	static size_t length;
	char bytes[128];
	ssize_t got = read(agent, bytes, sizeof bytes);

	for (ssize_t i = 0; i < got; i++) {
		if (bytes[i] == '\n') {
			line[length] = 0;
			answer(line);
			length = 0;
		} else if (length < sizeof line - 1) {
			line[length++] = bytes[i];
		}
	}
}
