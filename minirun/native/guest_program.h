/* guest_program.h - the program: its start, its streams, its end.
 *
 * Its streams are pipes, or a terminal of the guest's own; what comes out is put
 * into frames. It is not PID 1, so signals have their usual effects on it, and
 * orphans are reaped here. Its end is the machine's end. Included by guest.c.
 */
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define WORDS (64 << 10) /* arguments, and as many variables */

static struct {
	char *args[WORDS], *env[WORDS];
	int argc, envc;
	char *cwd;
	uid_t uid;
	gid_t gid, groups[256];
	int groupc, tty, umask, limitc;
	struct { int resource; struct rlimit limit; } limits[RLIM_NLIMITS];
	struct winsize window;
	pid_t pid;
	int in, out, err;           /* our ends; for a terminal, in and out are its master */
	char *waiting;              /* input that the program did not take yet */
	size_t begin, end;
	int no_more;                /* the host has said that its input is over */
} program = { .cwd = "/", .umask = 022, .in = -1, .out = -1, .err = -1 };

/* What a child that could not become the program tells; the text is in both. */
struct failure {
	const char *what;
	int number;
};

static void become(int input, int output, int errors, int told) __attribute__((noreturn));
static int is_there(const char *name);

/* Starts the program; says FAILED where it cannot be executed. */
static void start_program(void)
{
	int in[2], out[2], err[2], failure[2];
	struct failure told = { "exec", EAGAIN };

	pipe2(failure, O_CLOEXEC);
	if (program.tty) {
		in[1] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (in[1] < 0 || grantpt(in[1]) || unlockpt(in[1])) {
			say_text(FAILED, "%d a terminal", errno);
			return;
		}
		ioctl(in[1], TIOCSWINSZ, &program.window);
		in[0] = out[1] = err[1] = open(ptsname(in[1]), O_RDWR | O_NOCTTY | O_CLOEXEC);
		out[0] = fcntl(in[1], F_DUPFD_CLOEXEC, 3);
		err[0] = -1;
	} else {
		pipe2(in, O_CLOEXEC);
		pipe2(out, O_CLOEXEC);
		pipe2(err, O_CLOEXEC);
	}
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);

	program.pid = fork();
	if (program.pid == 0)
		become(in[0], out[1], err[1], failure[1]);
	close(failure[1]);
	close(in[0]);
	if (!program.tty) {
		close(out[1]);
		close(err[1]);
	}
	if (program.pid < 0 || read(failure[0], &told, sizeof told) > 0) {
		say_text(FAILED, "%d %s %s", told.number, told.what, *told.what == 'c' ? program.cwd : program.args[0]);
		leave();
	}
	close(failure[0]);
	program.in = in[1];
	program.out = out[0];
	program.err = err[0];
	program.waiting = malloc(INPUT_WINDOW);
	say_text(STARTED, "%d", program.pid);
	uint32_t room = INPUT_WINDOW;
	say(ROOM, &room, sizeof room);
}

/* The child: puts everything on that the program shall have, privileges last. */
static void become(int input, int output, int errors, int told)
{
	struct failure failed = { "streams", 0 };
	sigset_t none;

	setsid();
	if (program.tty)
		ioctl(input, TIOCSCTTY, 0);
	if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0)
		goto failed;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(program.umask);
	failed.what = "limits";
	for (int i = 0; i < program.limitc; i++)
		if (setrlimit(program.limits[i].resource, &program.limits[i].limit))
			goto failed;
	failed.what = "user";
	if (setgroups(program.groupc, program.groups) || setgid(program.gid) || setuid(program.uid))
		goto failed;
	failed.what = "cwd"; /* as who the program is: a directory may be closed to it */
	if (chdir(program.cwd))
		goto failed;
	failed.what = "exec";
	environ = program.env;
	execvp(program.args[0], program.args);
	/* "No such file" about a file that is there means its interpreter. */
	if (errno == ENOENT && is_there(program.args[0]))
		errno = ELIBACC;
failed:
	failed.number = errno;
	write(told, &failed, sizeof failed);
	_exit(127);
}

static int is_there(const char *name)
{
	const char *path = getenv("PATH");
	char place[4096];

	if (strchr(name, '/'))
		return !access(name, F_OK);
	while (path && *path) {
		int length = strcspn(path, ":");

		snprintf(place, sizeof place, "%.*s/%s", length, path, name);
		if (!access(place, F_OK))
			return 1;
		path += length + (path[length] == ':');
	}
	return 0;
}

/* Hands on what the program wrote; at the end of file the descriptor becomes -1. */
static int pass_on(int *from, char type)
{
	static char bytes[PAYLOAD];
	ssize_t got = read(*from, bytes, sizeof bytes);

	if (got > 0) {
		say(type, bytes, got);
		return 1;
	}
	if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(*from); /* a terminal says EIO when its last user has gone */
		*from = -1;
	}
	return 0;
}

static int input_waits(void)
{
	return program.in >= 0 && program.end > program.begin;
}

static void close_input_if_done(void)
{
	static const char end_of_file = 4; /* ^D: a terminal has no other end */

	if (!program.no_more || input_waits() || program.in < 0)
		return;
	if (program.tty)
		write(program.in, &end_of_file, 1);
	else
		close(program.in), program.in = -1;
	program.no_more = 0;
}

/* Keeps input that came; ROOM has seen to it that it fits. */
static void keep_input(const char *bytes, size_t length)
{
	if (program.begin == program.end)
		program.begin = program.end = 0;
	if (program.end + length > INPUT_WINDOW) {
		memmove(program.waiting, program.waiting + program.begin, program.end - program.begin);
		program.end -= program.begin;
		program.begin = 0;
	}
	if (program.end + length > INPUT_WINDOW)
		leave(); /* not what was agreed: this is not our host */
	memcpy(program.waiting + program.end, bytes, length);
	program.end += length;
}

/* Gives the program of its input what it takes, and tells the host of the room. */
static void feed(void)
{
	ssize_t taken = write(program.in, program.waiting + program.begin, program.end - program.begin);
	uint32_t room;

	if (taken < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (taken < 0) { /* it does not read any more: neither do we */
		close(program.in);
		program.in = -1;
		return;
	}
	program.begin += taken;
	room = taken;
	say(ROOM, &room, sizeof room);
	close_input_if_done();
}

/* Reaps all there is, for one SIGCHLD can stand for many. */
static void reap(void)
{
	int status, ended = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == program.pid)
			ended = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (ended < 0)
		return;
	/* With the program the machine ends. What it wrote is in the pipes still, and
	 * whoever else holds them must not fill them for ever. */
	kill(-1, SIGKILL);
	while (program.out >= 0 && pass_on(&program.out, OUTPUT))
		;
	while (program.err >= 0 && pass_on(&program.err, ERROR_OUTPUT))
		;
	milestone("ended");
	sync(); /* volumes and disks are the host's: it ends us as soon as it knows */
	say_text(EXIT, "%d", ended);
	pause();
}
