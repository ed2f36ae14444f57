/* monitor_arguments.h - what the monitor is told, as key=value, and nothing else.
 *
 * Part of monitor.c. close_range(2).
 */

/* What the arguments say. File descriptors are -1 when absent. */
static int directory = -1, data = -1, init_pid = -1, channel = -1, listener = -1, first_client = -1;
static int tty = -1, in = -1, lock = -1, starter, start, stdin_once, log_on;
static char **after;
static const char *condition;
enum { ALREADY_OPEN = 2 };

/* The two streams out of the container; a pty has only the first. */
static struct source { int fd, open; long budget; } sources[2] = { { -1, 0, LONG_MAX }, { -1, 0, LONG_MAX } };

/*  dir=FD data=FD     where `started` and where exit.json and the log go
 *  init=PID           our child; channel=FD is a socket whose other end it holds until execve(2)
 *  starter=PID        another child of ours, which holds that end in init's place and ends when init runs
 *  start=1            open the gate at once; start=2: the creator has opened it, only note it
 *  listen=FD          attach.sock; client=FD is one who is connected already
 *  in= out= err=FD    our ends of the pipes, or tty=FD: the pty's master
 *  stdin_once=1       the end of the client's stdin is the end of the container's
 *  log=1 logsize=BYTES logfiles=N
 *  oom=FILE           memory.events (v2) or memory.oom_control (v1)
 *  killfile=FILE      cgroup.kill (v2) or cgroup.procs (v1)
 *  cgroup=DIR         to remove at the end, in this order; up to 16
 *  lock=FD            kept open, here and in PROGRAM
 *  when=NAME          PROGRAM only if dir has such a file at the end */
static const struct { const char *key; int *value; } numbers[] = {
	{ "dir=", &directory }, { "data=", &data }, { "init=", &init_pid }, { "channel=", &channel },
	{ "listen=", &listener }, { "client=", &first_client }, { "tty=", &tty }, { "in=", &in },
	{ "out=", &sources[0].fd }, { "err=", &sources[1].fd }, { "lock=", &lock }, { "start=", &start },
	{ "starter=", &starter },
	{ "stdin_once=", &stdin_once }, { "log=", &log_on }, { "logfiles=", &log_files },
};

static void keep_only(const int *fds, int count);

/* Anything unknown ends the monitor: [init] sees its channel close and never starts. */
static void read_arguments(int argc, char **argv)
{
	int cgroup_count = 0;

	for (int i = 2; i < argc; i++) {
		const char *arg = argv[i];
		size_t n = 0, all = sizeof numbers / sizeof *numbers;

		while (n < all && strncmp(arg, numbers[n].key, strlen(numbers[n].key)))
			n++;
		if (n < all) {
			*numbers[n].value = atoi(arg + strlen(numbers[n].key));
		} else if (!strcmp(arg, "--") && i + 1 < argc) {
			after = argv + i + 1;
			return;
		} else if (!strncmp(arg, "logsize=", 8)) {
			log_limit = atoll(arg + 8) > 0 ? atoll(arg + 8) : LLONG_MAX;
		} else if (!strncmp(arg, "oom=", 4)) {
			oom_path = arg + 4;
		} else if (!strncmp(arg, "killfile=", 9)) {
			kill_path = arg + 9;
		} else if (!strncmp(arg, "when=", 5)) {
			condition = arg + 5;
		} else if (!strncmp(arg, "cgroup=", 7) && cgroup_count < CGROUPS) {
			cgroups[cgroup_count++] = arg + 7;
		} else {
			_exit(64);
		}
	}
	if (directory < 0 || data < 0 || init_pid <= 0)
		_exit(64);
}

/* Closes every file above stderr that is not in `fds`: a stray end of a pipe would hide an end of file. */
static void keep_only(const int *fds, int count)
{
	for (unsigned from = 3;;) {
		unsigned next = ~0U;

		for (int i = 0; i < count; i++)
			if (fds[i] >= 0 && (unsigned)fds[i] >= from && (unsigned)fds[i] < next)
				next = fds[i];
		if (next > from)
			syscall(SYS_close_range, from, next == ~0U ? next : next - 1, 0);
		if (next == ~0U)
			return;
		from = next + 1;
	}
}
