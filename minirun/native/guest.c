/* guest.c - PID 1 of a virtual machine: brings the machine up, runs one program.
 *
 * It is all that the initramfs holds, beside the drivers. What the machine shall
 * be is not decided here: the host sends a list of operations (mount, hostname,
 * ... ; vm/guest.py makes it) and this carries them out, one by one.
 *
 *     boot      mount /dev /proc /sys, load the drivers, open the control port,
 *               raise the network card if there is one
 *     READY     said to the host; a template is a machine stopped here
 *     operate   guest_operations.h: what the host sends, in its order
 *     watch     guest_program.h: the program's streams, signals, and its end
 *
 * Layer: native. The words on the wire are in guest_wire.h. What goes wrong
 * before there is a port is said on the console, from where the host reads it.
 * initramfs: Documentation/driver-api/early-userspace; virtio 1.1, 5.3.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void give_up(const char *format, ...);

#include "guest_wire.h"
#include "guest_program.h"
#include "guest_network.h"
#include "guest_operations.h"
#include "guest_agent.h"

static void mount_the_kernels_own(void);
static void load_drivers(void);
static void listen_to_the_host(void);

int main(void)
{
	mount_the_kernels_own();
	milestone("init");
	load_drivers();
	milestone("drivers");
	open_ports();
	raise_card();
	milestone("ready");
	listen_to_the_host();
}

static void mount_the_kernels_own(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0555);
	mkdir("/sys", 0555);
	if (mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755") ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) ||
	    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		give_up("cannot mount /dev, /proc and /sys: %s", strerror(errno));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The names begin with their place in the order: 00-virtio.ko, 01-virtio_ring.ko. */
static void load_drivers(void)
{
	struct dirent **names;
	int count = scandir("/modules", &names, NULL, by_name);

	for (int i = 0; i < count; i++) {
		char path[512];

		if (names[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "/modules/%s", names[i]->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
			give_up("cannot load the driver %s: %s", names[i]->d_name, strerror(errno));
		close(fd);
		unlink(path); /* the initramfs lies in memory */
	}
}

/* Waits for whatever comes next: from the host, from the program, from a death. */
static void listen_to_the_host(void)
{
	enum { CONTROL, AGENT, SIGNALS, OUT, ERR, IN, EVENTS };
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	sigaddset(&ours, SIGIO);
	sigprocmask(SIG_BLOCK, &ours, NULL);
	int signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);

	look_who_asks(); /* somebody may have come before there was a signal for it */
	for (;;) {
		struct pollfd events[EVENTS] = {
			[CONTROL] = { .fd = control, .events = POLLIN },
			[AGENT] = { .fd = somebody_asks ? agent : -1, .events = POLLIN },
			[SIGNALS] = { .fd = signals, .events = POLLIN },
			[OUT] = { .fd = program.out, .events = POLLIN },
			[ERR] = { .fd = program.err, .events = POLLIN },
			[IN] = { .fd = input_waits() ? program.in : -1, .events = POLLOUT },
		};

		if (poll(events, EVENTS, -1) < 0 && errno != EINTR)
			give_up("cannot wait: %s", strerror(errno));
		if (events[OUT].revents)
			pass_on(&program.out, OUTPUT);
		if (events[ERR].revents)
			pass_on(&program.err, ERROR_OUTPUT);
		if (events[IN].revents)
			feed();
		if (events[SIGNALS].revents) {
			struct signalfd_siginfo ignored;

			while (read(signals, &ignored, sizeof ignored) > 0)
				;
			reap();
			look_who_asks();
		}
		if (events[CONTROL].revents & POLLIN)
			receive();
		else if (events[CONTROL].revents)
			leave(); /* the host has gone: so do we */
		if (somebody_asks && events[AGENT].revents & POLLIN)
			hear(); /* not before whoever asks is there: a question overtakes that news */
		else if (events[AGENT].revents)
			look_who_asks();
	}
}

/* Says on the console what is wrong, and switches the machine off. */
static void give_up(const char *format, ...)
{
	va_list arguments;

	dprintf(2, "minirun: ");
	va_start(arguments, format);
	vdprintf(2, format, arguments);
	va_end(arguments);
	dprintf(2, "\n");
	leave();
}
