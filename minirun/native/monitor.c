/* monitor.c - the container's parent, after Python has left.
 *
 * Python prepares a container, clones its first process ([init]) and then
 * becomes this program in place: same pid, so [init] is this program's child.
 * It waits at the gate, carries bytes, writes the log, and records the exit.
 *
 *     CLI, attach ...  <--packets-->  monitor  <--pipes or a pty-->  the program
 *                                        |
 *           DIR/started    DATA/container.log    DATA/exit.json
 *
 * argv: "minirun:[monitor]" ID key=value ... [-- PROGRAM ARGS ...]; PROGRAM is
 * what to become when all is over.
 *
 * The chapters, each one file: monitor_arguments.h, monitor_clients.h (the
 * packets), monitor_log.h, monitor_cgroup.h, monitor_files.h; here is what ties
 * them together. Layer: native; container/monitor.py calls it. No heap and no
 * stdio: buffers are static, untouched until used, so an idle monitor is a few pages.
 * poll(2), signalfd(2), prctl(2), pty(7).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h> /* renameat only: no streams */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The gate, as [init] sees it: CLOSED -> OPENING -> STARTED or FAILED. */
static enum { CLOSED, OPENING, STARTED, FAILED } gate;

/* The end: ALIVE -> DEAD (draining) -> RECORDED (exit.json is there) -> TOLD (X is on its way). */
static enum { ALIVE, DEAD, RECORDED, TOLD } end;

/* One chunk on its way out and the F and X packets, with their first bytes; one chunk on its way in. */
enum { CHUNK = 16384, WHY = 8192, PIPE_MAX = 1 << 20 };
static char chunk[1 + CHUNK], failure[1 + WHY + 1], record[WHY + 512], input[CHUNK];
static size_t chunk_length, failure_length, record_length, input_start, input_end;
static int input_ended;

static void settle(void);
static int over(void);
static void serve(void);
static void become_after(void);
static void open_gate(void);
static void hear_channel(void);
static void feed_stdin(void);
static void relay(int which);
static void reap(void);
static void starter_died(int status);
static void init_died(int status);
static void record_exit(void);

#include "monitor_files.h"
#include "monitor_log.h"
#include "monitor_cgroup.h"
#include "monitor_arguments.h"
#include "monitor_clients.h"

static int signals = -1; /* signalfd(2): SIGCHLD as something to poll */
static int exit_code, exit_signal, oom_killed;
static struct timespec died_at;
static long long record_by; /* milliseconds */

int main(int argc, char **argv)
{
	read_arguments(argc, argv);
	settle();
	if (first_client >= 0) {
		/* What the client said before the start (attach, window size) holds for the first byte. */
		welcome(first_client);
		while (clients[0].fd >= 0 && !input_end && hear_client(&clients[0]))
			;
	}
	if (start)
		open_gate();
	reap(); /* it may have died before SIGCHLD was listened to */
	while (!over())
		serve();
	for EACH_CLIENT(c)
		hang_up(c);
	if (after && !released && (!condition || !faccessat(directory, condition, F_OK, 0)))
		become_after();
	_exit(0);
}

/* A process that only listens: its own files, its own signals, all orphans. */
static void settle(void)
{
	const int kept[] = { directory, data, channel, listener, first_client, tty, in,
	                     sources[0].fd, sources[1].fd, lock };
	sigset_t child;

	log_directory = data;
	keep_only(kept, sizeof kept / sizeof *kept);
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);

	/* Processes that outlive their parents come here, not to the host's init. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	for (int number = 1; number < NSIG; number++)
		if (number != SIGCHLD)
			signal(number, SIG_IGN);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);

	if (tty >= 0) {
		in = sources[0].fd = tty;
		/* While we hold the other side, a program that closes its terminal and
		 * opens /dev/console later is no hangup: ioctl_tty(2), TIOCGPTPEER. */
		ioctl(tty, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	}
	for (int i = 0; i < 2; i++)
		sources[i].open = sources[i].fd >= 0;
	const int ours[] = { listener, channel, in, sources[0].fd, sources[1].fd };
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (ours[i] >= 0)
			fcntl(ours[i], F_SETFL, fcntl(ours[i], F_GETFL) | O_NONBLOCK);
	for (struct client *c = clients; c < clients + CLIENTS; c++)
		c->fd = -1;
}

/* What there is to do once [init] is dead; true when nothing is left. */
static int over(void)
{
	if (end == ALIVE)
		return 0;
	for (int i = 0; i < 2; i++)
		while (sources[i].open && !owed_to_anyone(OWED_CHUNK))
			relay(i);
	int drained = !sources[0].open && !sources[1].open && !owed_to_anyone(OWED_CHUNK);
	/* A client that stands still holds up the output, never the record of the exit. */
	if (end == DEAD && (drained || milliseconds() >= record_by)) {
		record_exit();
		tell_watchers();
	}
	if (end == RECORDED && drained) {
		end = TOLD;
		accept_clients(); /* who came in the last moment is told, too */
		tell_all(OWED_EXIT);
	}
	if (end != TOLD || owed_to_anyone(~0))
		return 0;
	for EACH_CLIENT(c)
		if (after && !released && (c->is & TAKES_OVER))
			return 0; /* until it says D, or its end of file says that it never will */
	return 1;
}

/* Waits for what can go on, and lets it. The only place where the monitor sleeps. */
static void serve(void)
{
	enum { SIGNALS, CHANNEL, LISTENER, INPUT, OUTPUT, FIRST = OUTPUT + 2 };
	struct pollfd on[FIRST + CLIENTS];
	/* Output waits for its slowest client (back pressure, not loss), and for the word
	 * whether the program started, so that S comes before O. */
	int may_read = end == ALIVE && gate != OPENING && !owed_to_anyone(OWED_CHUNK);

	on[SIGNALS] = (struct pollfd){ signals, POLLIN, 0 };
	on[CHANNEL] = (struct pollfd){ channel, POLLIN, 0 };
	on[LISTENER] = (struct pollfd){ listener, POLLIN, 0 };
	on[INPUT] = (struct pollfd){ input_end ? in : -1, POLLOUT, 0 };
	for (int i = 0; i < 2; i++)
		on[OUTPUT + i] = (struct pollfd){ may_read && sources[i].open ? sources[i].fd : -1, POLLIN, 0 };
	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = &clients[i];
		/* A client is heard when its stdin has room; what it sent stays in its socket. */
		int hear = !(c->is & GIVES_STDIN) || !input_end;
		short events = (hear ? POLLIN : 0) | (c->owed ? POLLOUT : 0);
		on[FIRST + i] = (struct pollfd){ events ? c->fd : -1, events, 0 };
	}
	long long left = record_by - milliseconds();
	if (poll(on, FIRST + CLIENTS, end != DEAD ? -1 : left > 0 ? (int)left : 0) <= 0)
		return;

	if (on[CHANNEL].revents)
		hear_channel();
	if (on[INPUT].revents)
		feed_stdin();
	for (int i = 0; i < 2; i++)
		if (on[OUTPUT + i].revents && !owed_to_anyone(OWED_CHUNK))
			relay(i);
	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = &clients[i];
		if (on[FIRST + i].revents && c->owed)
			pay(c);
		if (on[FIRST + i].revents & ~POLLOUT && (!(c->is & GIVES_STDIN) || !input_end))
			hear_client(c);
	}
	if (on[LISTENER].revents)
		accept_clients();
	if (on[SIGNALS].revents) {
		struct signalfd_siginfo ignored;
		while (read(signals, &ignored, sizeof ignored) > 0)
			;
		reap();
	}
}

/* Becomes the program that does the rest: restart, --rm, hooks. Only the lock goes with it. */
static void become_after(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	/* The C library keeps two signals to itself; the kernel's struct sigaction, all zero, is SIG_DFL. */
	for (int number = 32; number <= 33; number++)
		syscall(SYS_rt_sigaction, number, (long[4]){ 0 }, NULL, 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	keep_only(&lock, 1);
	execve(after[0], after, environ);
	_exit(127);
}

/* Lets [init] go on to execve(2). If it is dead already, its exit says the rest. */
static void open_gate(void)
{
	struct timespec now;
	char text[40];

	if (gate != CLOSED || channel < 0)
		return;
	if (start != ALREADY_OPEN && send(channel, "S", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		return;
	gate = OPENING;
	clock_gettime(CLOCK_REALTIME, &now);
	save(directory, "started", text, put_time(text, &now) - text);
}

/* [init] holds its side until execve(2) closes it: end of file means started. */
static void hear_channel(void)
{
	ssize_t length = channel < 0 ? -1 : recv(channel, failure, sizeof failure - 1, MSG_DONTWAIT | MSG_TRUNC);

	/* It died with our packet unread. That is told once, before its last words. */
	if (length < 0 && channel >= 0 && errno == ECONNRESET)
		length = recv(channel, failure, sizeof failure - 1, MSG_DONTWAIT | MSG_TRUNC);
	if (length < 0 && (channel < 0 || errno == EAGAIN))
		return;
	if (length > 0 && failure[0] == 'F') {
		if (length > (ssize_t)sizeof failure - 1)
			length = stpcpy(failure, "F{\"what\":\"the start failed for a reason too long to tell\"}") - failure;
		failure_length = length;
		gate = FAILED;
		tell_all(OWED_FAILED);
	} else if (gate == OPENING) {
		gate = STARTED;
		tell_all(OWED_STARTED);
	}
	close(channel);
	channel = -1;
}

/* Writes what there is for the container's stdin, and its end after it. */
static void feed_stdin(void)
{
	while (input_end && in >= 0) {
		ssize_t length = write(in, input + input_start, input_end - input_start);
		if (length < 0 && errno == EAGAIN)
			return;
		if (length < 0) { /* EPIPE: nobody reads it, nobody ever will */
			input_ended = 1;
			input_end = 0;
		} else if ((input_start += length) == input_end) {
			input_end = 0;
		}
	}
	if (input_ended && tty < 0 && in >= 0) {
		close(in);
		in = -1;
	}
}

/* Carries one chunk of output to the log and to whoever wants it. */
static void relay(int which)
{
	struct source *source = &sources[which];
	ssize_t length = source->budget > 0 ? read(source->fd, chunk + 1, CHUNK) : 0;

	if (length < 0 && errno == EAGAIN) {
		/* Whoever still holds the pipe after the death is not waited for. */
		source->open = end == ALIVE;
		return;
	}
	if (length <= 0) { /* all ends closed; on a terminal that is EIO */
		source->open = 0;
		return;
	}
	source->budget -= end == ALIVE ? 0 : length;
	chunk[0] = which ? 'E' : 'O';
	chunk_length = 1 + length;
	if (log_on)
		log_chunk(which, chunk + 1, length);
	for EACH_CLIENT(c)
		if (c->is & (which ? WANTS_STDERR : WANTS_STDOUT)) {
			c->owed |= OWED_CHUNK;
			pay(c);
		}
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == init_pid)
			init_died(status);
		else if (pid == starter)
			starter_died(status);
	if (pid < 0 && errno == ECHILD && end == ALIVE)
		init_died(255 << 8); /* never our child, or reaped before us: do not wait for ever */
}

/* Who fails to start it has said why; and nobody else ever would start it. */
static void starter_died(int status)
{
	starter = 0;
	if (status && end == ALIVE)
		kill(init_pid, SIGKILL);
}

static void init_died(int status)
{
	if (starter > 0 && gate == OPENING) { /* it knows better why, and ends now, too */
		waitpid(starter, NULL, 0);
		starter = 0;
	}
	clock_gettime(CLOCK_REALTIME, &died_at);
	record_by = milliseconds() + 1000;
	end = DEAD;
	hear_channel(); /* why it could not start, if it said so with its last breath */
	exit_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	exit_code = exit_signal ? 128 + exit_signal : WEXITSTATUS(status);
	const char *given = gate == FAILED ? strstr(failure, "\"exit_code\":") : NULL;
	if (given)
		exit_code = atoi(given + strlen("\"exit_code\":"));
	oom_killed = is_oom_killed();
	kill_survivors();
	input_end = 0;
	/* More than a pipe can hold comes from a survivor that writes for ever. */
	for (int i = 0; i < 2; i++)
		sources[i].budget = PIPE_MAX;
}

static void record_exit(void)
{
	char *at = record;

	*at++ = 'X';
	at = put_number(stpcpy(at, "{\"exitCode\":"), exit_code, 1);
	at = put_number(stpcpy(at, ",\"signal\":"), exit_signal, 1);
	at = stpcpy(at, oom_killed ? ",\"oomKilled\":true" : ",\"oomKilled\":false");
	at = stpcpy(put_time(stpcpy(at, ",\"finishedAt\":\""), &died_at), "\"");
	if (log_lost)
		at = put_number(stpcpy(at, ",\"logBytesLost\":"), log_lost, 1);
	at = stpcpy(stpcpy(at, ",\"error\":"), failure_length > 1 ? failure + 1 : "null");
	at = stpcpy(at, "}");
	record_length = at - record;
	end = RECORDED;
	/* A full disk shall not swallow the exit: the runtime directory is memory. */
	if (save(data, "exit.json", record + 1, record_length - 1) < 0)
		save(directory, "exit.json", record + 1, record_length - 1);
	remove_cgroups();
}
