/* guest_operations.h - what the host can ask for while the machine is made ready.
 *
 * A list of words, each operation's name before its arguments; they are done in
 * their order. vm/guest.py writes them; one that fails is told to the host with
 * its name and errno, and the machine goes off. Included by guest.c.
 */
#include <linux/random.h>

static int make_directories(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(path, 0755) && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return mkdir(path, 0755) && errno != EEXIST ? -1 : 0;
}

static int op_mount(char **word) /* source target type flags data */
{
	return mount(word[0], word[1], *word[2] ? word[2] : NULL, strtoul(word[3], NULL, 0), word[4]);
}

static int op_mkdir(char **word) { return make_directories(word[0]); }

static int op_touch(char **word) /* a file to mount on */
{
	char *slash = strrchr(word[0], '/');

	*slash = 0;
	if (*word[0] && make_directories(word[0]))
		return -1;
	*slash = '/';
	int fd = open(word[0], O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	return fd < 0 ? -1 : close(fd);
}

static int op_write(char **word) /* path content */
{
	int fd = open(word[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
	size_t length = strlen(word[1]);

	if (fd < 0)
		return -1;
	int failed = write(fd, word[1], length) != (ssize_t)length;
	return close(fd) || failed ? -1 : 0;
}

/* switch_root(8): pivot_root(2) does not work on the initramfs' own root. */
static int op_root(char **word)
{
	const char *own[] = { "dev", "proc", "sys" };

	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		char from[16], to[4096];

		snprintf(from, sizeof from, "/%s", own[i]);
		snprintf(to, sizeof to, "%s/%s", word[0], own[i]);
		if (make_directories(to) || mount(from, to, NULL, MS_MOVE, NULL))
			return -1;
	}
	return chdir(word[0]) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/") ? -1 : 0;
}

static int op_symlink(char **word) { return symlink(word[0], word[1]); } /* to from */

static int op_unmount(char **word)
{
	return umount2(word[0], MNT_DETACH) || rmdir(word[0]) ? -1 : 0;
}

static int op_hostname(char **word) { return sethostname(word[0], strlen(word[0])); }

/* A restored machine would otherwise give the same random numbers each time. */
static int op_seed(char **word)
{
	struct { struct rand_pool_info info; char bytes[512]; } pool;
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	size_t length = strlen(word[0]) / 2;

	for (size_t i = 0; i < length && i < sizeof pool.bytes; i++) {
		unsigned byte = 0;
		sscanf(word[0] + 2 * i, "%2x", &byte);
		((char *)pool.info.buf)[i] = byte;
	}
	pool.info.entropy_count = 8 * length;
	pool.info.buf_size = length;
	int failed = fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) || ioctl(fd, RNDRESEEDCRNG);
	close(fd);
	return failed ? -1 : 0;
}

static int op_time(char **word) /* seconds nanoseconds */
{
	struct timespec now = { atoll(word[0]), atol(word[1]) };

	return clock_settime(CLOCK_REALTIME, &now);
}

/* The program: what it is called with, and as whom it runs. */
static int add(char **list, int *count, char *word)
{
	if (*count >= WORDS - 1) {
		errno = E2BIG;
		return -1;
	}
	list[(*count)++] = word;
	return 0;
}

static int op_arg(char **word) { return add(program.args, &program.argc, word[0]); }
static int op_env(char **word) { return add(program.env, &program.envc, word[0]); }
static int op_cwd(char **word) { program.cwd = word[0]; return 0; }
static int op_umask(char **word) { program.umask = strtol(word[0], NULL, 8); return 0; }

static int op_tty(char **word) /* rows columns */
{
	program.tty = 1;
	program.window.ws_row = atoi(word[0]);
	program.window.ws_col = atoi(word[1]);
	return 0;
}

static int op_rlimit(char **word) /* number soft hard */
{
	if (program.limitc >= RLIM_NLIMITS) {
		errno = E2BIG;
		return -1;
	}
	int i = program.limitc++;
	program.limits[i].resource = atoi(word[0]);
	program.limits[i].limit.rlim_cur = strtoull(word[1], NULL, 10);
	program.limits[i].limit.rlim_max = strtoull(word[2], NULL, 10);
	return 0;
}

static int op_user(char **word) /* uid gid */
{
	program.uid = strtoul(word[0], NULL, 10);
	program.gid = strtoul(word[1], NULL, 10);
	return 0;
}

static int op_group(char **word)
{
	if (program.groupc >= 256) {
		errno = E2BIG;
		return -1;
	}
	program.groups[program.groupc++] = strtoul(word[0], NULL, 10);
	return 0;
}

static int op_mark(char **word) { milestone(word[0]); return 0; }
static int op_exec(char **word) { (void)word; start_program(); return 0; }

static const struct operation {
	const char *name;
	int words;
	int (*act)(char **);
} operations[] = {
	{ "mount", 5, op_mount }, { "mkdir", 1, op_mkdir }, { "touch", 1, op_touch }, { "write", 2, op_write },
	{ "root", 1, op_root }, { "symlink", 2, op_symlink }, { "unmount", 1, op_unmount }, { "hostname", 1, op_hostname }, { "seed", 1, op_seed }, { "time", 2, op_time },
	{ "up", 1, op_up }, { "address", 3, op_address }, { "gateway", 1, op_gateway },
	{ "rlimit", 3, op_rlimit }, { "arg", 1, op_arg }, { "env", 1, op_env }, { "cwd", 1, op_cwd },
	{ "umask", 1, op_umask }, { "tty", 2, op_tty }, { "user", 2, op_user }, { "group", 1, op_group },
	{ "mark", 1, op_mark }, { "exec", 0, op_exec },
};

static const struct operation *operation(const char *name)
{
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
		if (!strcmp(operations[i].name, name))
			return &operations[i];
	return NULL;
}

/* Does the operations in `list`, which stays: the program's words point into it.
 * One whose name begins with a question mark may fail. */
static void operate(char *list, size_t length)
{
	char *end = list + length;

	while (list < end) {
		int optional = *list == '?';
		char *name = list + optional, *words[5] = { 0 };
		const struct operation *wanted = operation(name);

		list += strlen(list) + 1;
		for (int i = 0; wanted && i < wanted->words && list < end; i++) {
			words[i] = list;
			list += strlen(list) + 1;
		}
		if (!wanted)
			errno = ENOSYS;
		if (!wanted || (wanted->words && !words[wanted->words - 1]) || (wanted->act(words) && !optional)) {
			say_text(FAILED, "%d %s %s %s", errno, name, words[0] ? words[0] : "", words[1] ? words[1] : "");
			leave();
		}
	}
}

/* One frame from the host. */
static void receive(void)
{
	unsigned char head[5];
	uint32_t length;

	take(head, sizeof head);
	memcpy(&length, head + 1, 4);
	char *payload = malloc(length + 1);
	if (!payload)
		leave();
	take(payload, length);
	payload[length] = 0;
	switch (head[0]) {
	case OPERATE:
		operate(payload, length);
		return; /* kept */
	case INPUT:
		keep_input(payload, length);
		break;
	case END_OF_INPUT:
		program.no_more = 1;
		close_input_if_done();
		break;
	case SIGNAL:
		if (program.pid > 0)
			kill(program.pid, payload[0]);
		break;
	case WINDOW:
		if (program.tty && program.in >= 0) {
			struct winsize size = { 0 };

			memcpy(&size, payload, length < 4 ? length : 4);
			ioctl(program.in, TIOCSWINSZ, &size);
		}
		break;
	}
	free(payload);
}
