/* init.c - PID 1 of a container, for a program that was not written to be it.
 *
 * The kernel treats PID 1 of a PID namespace in three ways that surprise a
 * program: signals it has no handler for do not reach it, orphans become its
 * children and wait for it as zombies, and with it all others die. So this
 * stands in its place: it starts the program, hands every signal on to it,
 * reaps whatever dies, and ends as the program ends.
 *
 *     init [-v] PROGRAM ARGS...      -v says on stderr what it does
 *
 * Exit status: the program's; 128+N if signal N killed it; 127 if there is no
 * such program, 126 if it cannot be executed.
 *
 * Layer: native; container/plan.py puts it before the program for `--init`.
 * pid_namespaces(7), sigwaitinfo(2), wait(2), tcsetpgrp(3).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int verbose;

static pid_t start(char **program, const sigset_t *mask);
static void warn_if_orphans_go_elsewhere(void);
static void reap(pid_t child);

#define say(...) do { if (verbose) dprintf(2, "init: " __VA_ARGS__); } while (0)

int main(int argc, char **argv)
{
	/* What the processor raises in our own code is no message to hand on. */
	const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
	char **program = argv + 1;
	sigset_t all, before;

	if (argc > 1 && !strcmp(argv[1], "-v")) {
		verbose = 1;
		program++;
	}
	if (!*program) {
		dprintf(2, "init: usage: init [-v] PROGRAM ARGS...\n");
		return 125;
	}
	warn_if_orphans_go_elsewhere();

	/* Blocked signals stay pending, even for PID 1, until sigwaitinfo(2) takes them. */
	sigfillset(&all);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigdelset(&all, faults[i]);
	sigprocmask(SIG_SETMASK, &all, &before);
	/* A SIGCHLD that is ignored, as it may be inherited, means no zombies and no exit status. */
	signal(SIGCHLD, SIG_DFL);

	pid_t child = start(program, &before);
	for (;;) {
		int number = sigwaitinfo(&all, NULL);
		if (number == SIGCHLD) {
			reap(child);
		} else if (number > 0) {
			say("signal %d (%s) goes to %d\n", number, strsignal(number), child);
			kill(child, number);
		}
	}
}

/* Starts the program in a process group of its own, in front if there is a terminal. */
static pid_t start(char **program, const sigset_t *mask)
{
	pid_t child = fork();

	if (child < 0) {
		dprintf(2, "init: cannot fork: %s\n", strerror(errno));
		exit(126);
	}
	if (child > 0) {
		say("%s is process %d\n", *program, child);
		return child;
	}
	/* ^C goes to the group in front. In our group, init would get it as well and
	 * hand it on: the program would be interrupted twice. SIGTTOU is still blocked
	 * here, so a background process may do this: tcsetpgrp(3). */
	setpgid(0, 0);
	if (isatty(0))
		tcsetpgrp(0, getpid());
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(*program, program);
	int missing = errno == ENOENT;
	dprintf(2, "init: cannot execute %s: %s\n", *program, strerror(errno));
	_exit(missing ? 127 : 126);
}

static void warn_if_orphans_go_elsewhere(void)
{
	int subreaper = 0;

	prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
	if (getpid() != 1 && !subreaper)
		dprintf(2, "init: process %d is neither PID 1 nor a subreaper: orphans are not reaped here\n", getpid());
}

/* Reaps all there is, since one SIGCHLD can stand for many; ends with the program. */
static void reap(pid_t child)
{
	int status = 0, ended = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		say("reaped %d\n", pid);
		if (pid == child)
			ended = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	if (ended >= 0)
		exit(ended);
}
