/* pause.c - PID 1 of a pod's sandbox: it does nothing, and holds the namespaces by being there.
 *
 * A namespace lives as long as somebody lives in it. The pod's network, its
 * address and its hostname belong to this process, so a container that crashes
 * takes nothing of them along: the next one joins what it left. Where the pod
 * shares its PID namespace, pause is the parent of all orphans too, and reaps them.
 *
 *     pause        sleeps; ends with exit code 0 at SIGTERM or SIGINT
 *     pause -v     prints its version
 *
 * Without a C library: six system calls need none. What stays in memory is a page
 * of code, which all sandboxes share, and one or two of stack; a library's start-up
 * makes that three with musl and eighteen with glibc, and 13 KiB or 680 KiB of file
 * from less than one. The price is at the end of this file, once for each kind of
 * machine: how a system call is made, and what stands before main().
 *
 * Layer: native; pod/ has it as the program of the sandbox.
 * pid_namespaces(7), sigwaitinfo(2), wait(2), syscall(2).
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define VERSION "pause (minirun) 0.1.0\n"
#define say(fd, text) call(SYS_write, fd, (long) (text), sizeof text - 1, 0)
#define bit(number) (1UL << ((number) - 1))

static long call(long number, long a, long b, long c, long d);
__attribute__((noreturn)) static void leave(int status);

__attribute__((used, noreturn)) static void begin(long argc, char *argv[])
{
	const unsigned long ours = bit(SIGCHLD) | bit(SIGTERM) | bit(SIGINT);
	long number = 0;

	if (argc > 1 && argv[1][0] == '-' && argv[1][1] == 'v' && !argv[1][2])
		leave(say(1, VERSION) < 0);
	if (argc > 1) {
		say(2, "pause: usage: pause [-v]\n");
		leave(125);
	}
	if (call(SYS_getpid, 0, 0, 0, 0) != 1)
		say(2, "pause: warning: not PID 1: it keeps no PID namespace, and orphans go elsewhere\n");

	/* A blocked signal stays pending until it is asked for, even for PID 1, which
	 * the kernel otherwise spares: so none is lost, whenever it comes. With all
	 * others the kernel spares PID 1 as it is (pid_namespaces(7)). */
	call(SYS_rt_sigprocmask, SIG_SETMASK, (long) &ours, 0, sizeof ours);
	while (number != SIGTERM && number != SIGINT) {
		/* All there are, since one SIGCHLD can stand for many; and before the first
		 * sleep, since some may have died before it was blocked. */
		while (call(SYS_wait4, -1, 0, WNOHANG, 0) > 0)
			;
		number = call(SYS_rt_sigtimedwait, (long) &ours, 0, 0, sizeof ours);
	}
	leave(0);
}

static void leave(int status)
{
	for (;;)
		call(SYS_exit_group, status, 0, 0, 0);
}

/* syscall(2) says which register holds what. A new process finds argc where the
 * stack pointer points, and argv after it. */
#if defined __x86_64__
static long call(long number, long a, long b, long c, long d)
{
	register long fourth __asm__("r10") = d;

	__asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
	return number;
}
__asm__(".globl _start\n_start:\n\tmov (%rsp), %rdi\n\tlea 8(%rsp), %rsi\n\tand $-16, %rsp\n\tcall begin\n");
#elif defined __aarch64__
static long call(long number, long a, long b, long c, long d)
{
	register long which __asm__("x8") = number, first __asm__("x0") = a, second __asm__("x1") = b;
	register long third __asm__("x2") = c, fourth __asm__("x3") = d;

	__asm__ volatile("svc 0" : "+r"(first) : "r"(which), "r"(second), "r"(third), "r"(fourth) : "memory");
	return first;
}
__asm__(".globl _start\n_start:\n\tldr x0, [sp]\n\tadd x1, sp, 8\n\tbl begin\n");
#else
#error "pause.c knows how to make a system call on x86-64 and arm64 only"
#endif
