/* monitor_cgroup.h - what a container's cgroups say, and their end.
 *
 * cgroup v2 and v1 differ in the names of the files; the paths come as
 * arguments, so nothing here knows where a hierarchy is mounted.
 * Part of monitor.c. cgroups(7), Documentation/admin-guide/cgroup-v2.rst.
 */

enum { CGROUPS = 16 };

static const char *oom_path, *kill_path, *cgroups[CGROUPS];

/* v2 memory.events and v1 memory.oom_control both have a line `oom_kill N`. */
static int is_oom_killed(void)
{
	char text[1024];
	int fd = oom_path ? open(oom_path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = 0;
	const char *line = strstr(text, "oom_kill ");
	return line && atoi(line + strlen("oom_kill ")) > 0;
}

/* Processes of this container in another PID namespace than [init]'s did not die with it.
 * v2 has cgroup.kill for them; where the path is v1's cgroup.procs they are killed one by one. */
static void kill_survivors(void)
{
	char text[4096];
	size_t name = kill_path ? strlen(kill_path) : 0;
	int by_pid = name > 5 && !strcmp(kill_path + name - 5, "procs");
	int fd = name ? open(kill_path, (by_pid ? O_RDONLY : O_WRONLY) | O_CLOEXEC) : -1;
	ssize_t length = fd < 0 ? 0 : by_pid ? read(fd, text, sizeof text - 1) : write(fd, "1", 1);

	if (fd >= 0)
		close(fd);
	text[by_pid && length > 0 ? length : 0] = 0;
	/* Only whole lines: half a number is another process. */
	for (char *line = text, *newline; (newline = strchr(line, '\n')); line = newline + 1)
		if (atoi(line) > 0 && atoi(line) != getpid())
			kill(atoi(line), SIGKILL);
}

/* The kernel empties a cgroup a little after the death: EBUSY until then. 127 ms
 * at most for all of them; what is left then is found by `minirun gc`. */
static void remove_cgroups(void)
{
	long pause = 1;

	for (int i = 0; i < CGROUPS && cgroups[i]; i++)
		for (; rmdir(cgroups[i]) < 0 && errno == EBUSY && pause <= 64; pause *= 2) {
			kill_survivors();
			nap(pause);
		}
}
