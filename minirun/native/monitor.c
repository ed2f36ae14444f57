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
 * argv: "minirun:[monitor]" ID key=value ... [-- PROGRAM ARGS ...]; the keys
 * are in the tables below, and PROGRAM is what to become when all is over.
 *
 * One packet is one message, its first byte says which, at most 16 KiB follow:
 *     client:   A flags   attach: 1 stdout, 2 stderr, 4 stdin
 *               S         start: open the gate      I data  for stdin
 *               C         stdin has ended           W rows columns (2 x u16)
 *               T         I take over what follows  D       and am done with it
 *     monitor:  S started   F why it could not   O stdout   E stderr   X the exit
 *
 * Layer: native, below container/. Read monitor_files.h, monitor_log.h and monitor_cgroup.h
 * with it.
 * poll(2), unix(7) SOCK_SEQPACKET, signalfd(2), prctl(2), pty(7).
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

#include "monitor_files.h"
#include "monitor_log.h"
#include "monitor_cgroup.h"

/* Sizes. Buffers are static and untouched until used: an idle monitor is a few pages. */
enum { CHUNK = 16384, WHY = 8192, CLIENTS = 16, PIPE_MAX = 1 << 20 };

/* What the arguments say. File descriptors are -1 when absent. */
static int directory = -1, data = -1, init_pid = -1, channel = -1, listener = -1, first_client = -1;
static int tty = -1, in = -1, lock = -1, start, stdin_once, log_on;
static char **after;

/* The two streams out of the container; a pty has only the first. */
static struct source { int fd, open; long budget; } sources[2] = { { -1, 0, LONG_MAX }, { -1, 0, LONG_MAX } };

static const struct { const char *key; int *value; } numbers[] = {
	{ "dir=", &directory }, { "data=", &data }, { "init=", &init_pid }, { "channel=", &channel },
	{ "listen=", &listener }, { "client=", &first_client }, { "tty=", &tty }, { "in=", &in },
	{ "out=", &sources[0].fd }, { "err=", &sources[1].fd }, { "lock=", &lock }, { "start=", &start },
	{ "stdin_once=", &stdin_once }, { "log=", &log_on }, { "logfiles=", &log_files },
};

/* The gate, as [init] sees it: CLOSED -> OPENING -> STARTED or FAILED. */
static enum { CLOSED, OPENING, STARTED, FAILED } gate;

/* The end: ALIVE -> DEAD (draining) -> RECORDED (exit.json is there) -> TOLD (X is on its way). */
static enum { ALIVE, DEAD, RECORDED, TOLD } end;
static int exit_code, exit_signal, oom_killed, released;
static struct timespec died_at;
static long long record_by; /* milliseconds */

/* What a client is, and what it still has to get: paid in the order of the bits. */
enum { WANTS_STDOUT = 1, WANTS_STDERR = 2, GIVES_STDIN = 4, TAKES_OVER = 8, DEAF = 16 };
enum { OWED_STARTED = 1, OWED_FAILED = 2, OWED_CHUNK = 4, OWED_EXIT = 8 };
static struct client { int fd; unsigned char is, owed; } clients[CLIENTS];
#define EACH_CLIENT(c) (struct client *c = clients; c < clients + CLIENTS; c++) if (c->fd >= 0)

/* One chunk on its way out, one on its way in, each with its first byte; F and X packets. */
static char chunk[1 + CHUNK], packet[1 + CHUNK], input[CHUNK], failure[1 + WHY + 1], record[WHY + 512];
static size_t chunk_length, input_start, input_end, failure_length, record_length;
static int input_ended, signals = -1;

static void read_arguments(int argc, char **argv);
static void settle(void);
static void keep_only(const int *fds, int count);
static int over(void);
static void serve(void);
static void become_after(void);
static void accept_client(int fd);
static int hear_client(struct client *c);
static void hang_up(struct client *c);
static void tell_all(int what);
static void pay(struct client *c);
static int owed_to_anyone(int what);
static void open_gate(void);
static void hear_channel(void);
static void feed_stdin(void);
static void relay(int which);
static void reap(void);
static void init_died(int status);
static void record_exit(void);

int main(int argc, char **argv)
{
	read_arguments(argc, argv);
	settle();
	if (first_client >= 0) {
		/* What the client said before the start (attach, window size) holds for the first byte. */
		accept_client(first_client);
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
	if (after && !released)
		become_after();
	_exit(0);
}

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
		} else if (!strncmp(arg, "cgroup=", 7) && cgroup_count < CGROUPS) {
			cgroups[cgroup_count++] = arg + 7;
		} else {
			_exit(64);
		}
	}
	if (directory < 0 || data < 0 || init_pid <= 0)
		_exit(64);
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
	if (end == DEAD && (drained || milliseconds() >= record_by))
		record_exit();
	if (end == RECORDED && drained) {
		end = TOLD;
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
	if (on[LISTENER].revents) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			accept_client(fd);
		else if (errno != EAGAIN && errno != ECONNABORTED)
			nap(100); /* out of files or memory: do not spin on it */
	}
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
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	keep_only(&lock, 1);
	execve(after[0], after, environ);
	_exit(127);
}

static void accept_client(int fd)
{
	for (struct client *c = clients; c < clients + CLIENTS; c++)
		if (c->fd < 0) {
			*c = (struct client){ fd, 0, end == TOLD ? OWED_EXIT : 0 };
			return;
		}
	close(fd);
}

/* Takes one packet from a client; true if there may be more. */
static int hear_client(struct client *c)
{
	ssize_t length = recv(c->fd, packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (length < 0 && errno == ECONNRESET) {
		/* It died with our packets unread. What it sent before that is still here. */
		c->is = (c->is & ~(WANTS_STDOUT | WANTS_STDERR)) | DEAF;
		c->owed = 0;
		return 1;
	}
	if (length <= 0 || length > (ssize_t)sizeof packet) {
		hang_up(c);
		return 0;
	}
	switch (packet[0]) {
	case 'A':
		c->is = (c->is & ~7) | (length > 1 ? packet[1] & 7 : 0);
		break;
	case 'S':
		if (gate == CLOSED)
			open_gate();
		else if (gate != OPENING)
			c->owed |= gate == STARTED ? OWED_STARTED : OWED_FAILED;
		break;
	case 'I':
		if (in < 0 || input_ended || end != ALIVE || !(c->is & GIVES_STDIN))
			break;
		memcpy(input, packet + 1, length - 1);
		input_start = 0, input_end = length - 1;
		feed_stdin();
		break;
	case 'C': /* a terminal has no half to close: there, the end is a ^D among the data */
		input_ended |= stdin_once && tty < 0 && (c->is & GIVES_STDIN);
		feed_stdin();
		break;
	case 'W':
		if (tty >= 0 && length == 5) {
			struct winsize size = { 0 };
			memcpy(&size.ws_row, packet + 1, 2);
			memcpy(&size.ws_col, packet + 3, 2);
			ioctl(tty, TIOCSWINSZ, &size);
		}
		break;
	case 'T':
		c->is |= TAKES_OVER;
		break;
	case 'D': /* said while the program lives, it gives back what T took */
		released |= end >= RECORDED && (c->is & TAKES_OVER);
		c->is &= ~TAKES_OVER;
		break;
	}
	pay(c);
	return 1;
}

static void hang_up(struct client *c)
{
	/* A close with packets unread would reset the connection and hide from the
	 * client what it has not read yet. So none come in any more, and the rest is read. */
	shutdown(c->fd, SHUT_RD);
	while (recv(c->fd, packet, sizeof packet, MSG_DONTWAIT) > 0)
		;
	close(c->fd);
	input_ended |= stdin_once && tty < 0 && (c->is & GIVES_STDIN);
	*c = (struct client){ -1, 0, 0 };
	feed_stdin();
}

static void tell_all(int what)
{
	for EACH_CLIENT(c) {
		c->owed |= c->is & DEAF ? 0 : what;
		pay(c);
	}
}

/* Sends a client what it is owed, as far as it takes it now. */
static void pay(struct client *c)
{
	const struct { int what; const char *text; size_t length; } debts[] = {
		{ OWED_STARTED, "S", 1 },
		{ OWED_FAILED, failure, failure_length },
		{ OWED_CHUNK, chunk, chunk_length },
		{ OWED_EXIT, record, record_length },
	};

	for (int i = 0; i < 4; i++) {
		if (!(c->owed & debts[i].what))
			continue;
		if (send(c->fd, debts[i].text, debts[i].length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
			c->owed &= ~debts[i].what;
		} else if (errno == EAGAIN || errno == EINTR || errno == ENOMEM || errno == ENOBUFS) {
			return;
		} else { /* gone; its end of file comes after what it still has to say */
			c->is = (c->is & ~(WANTS_STDOUT | WANTS_STDERR)) | DEAF;
			c->owed = 0;
		}
	}
}

static int owed_to_anyone(int what)
{
	for EACH_CLIENT(c)
		if (c->owed & what)
			return 1;
	return 0;
}

/* Lets [init] go on to execve(2). If it is dead already, its exit says the rest. */
static void open_gate(void)
{
	struct timespec now;
	char text[40];

	if (gate != CLOSED || channel < 0 || send(channel, "S", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		return;
	gate = OPENING;
	clock_gettime(CLOCK_REALTIME, &now);
	save(directory, "started", text, put_time(text, &now) - text);
}

/* [init] holds its side until execve(2) closes it: end of file means started. */
static void hear_channel(void)
{
	ssize_t length = channel < 0 ? -1 : recv(channel, failure, sizeof failure - 1, MSG_DONTWAIT | MSG_TRUNC);

	if (length < 0 && (channel < 0 || errno == EAGAIN || errno == EINTR))
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
		if (length < 0 && (errno == EAGAIN || errno == EINTR))
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

	if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
		/* Whoever still holds the pipe after the death is not waited for. */
		source->open = end == ALIVE || errno == EINTR;
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
	if (pid < 0 && errno == ECHILD && end == ALIVE)
		init_died(255 << 8); /* never our child, or reaped before us: do not wait for ever */
}

static void init_died(int status)
{
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
