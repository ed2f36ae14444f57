/* A first process that does nothing, and does it well.
 *
 *     cc -Os -static -o pause pause.c
 *
 * As PID 1 of a PID namespace it has three duties: to be there, for the namespace lives as
 * long as PID 1; to end when it is told to, for the kernel spares PID 1 each signal that it
 * has no handler for; and to bury orphans. It runs no program and has no exit code to pass on.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

/* [handlers] */
static void end(int number)
{
	(void)number;
	_exit(0);
}

static void bury(int number)
{
	(void)number;
	/* All there are: signals do not queue, so one SIGCHLD may stand for many of the dead. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}
/* [/handlers] */

int main(void)
{
	/* SA_NOCLDSTOP: a child that is merely stopped is of no interest. */
	struct sigaction dead = { .sa_handler = bury, .sa_flags = SA_NOCLDSTOP };
	struct sigaction told = { .sa_handler = end };

	if (sigaction(SIGCHLD, &dead, NULL) || sigaction(SIGTERM, &told, NULL) || sigaction(SIGINT, &told, NULL))
		return 1;
	/* No timer, no reason to wake up but a signal: sleep() would need both. */
	for (;;)
		pause();
}
