/* guest_wire.h - what host and guest say to each other: frames on one port.
 *
 *     type (1 byte)  length (4 bytes, little-endian)  that many bytes
 *
 * One stream for everything keeps its order: the exit comes after all output.
 * Input is sent only as far as the guest has said that there is room (ROOM), so
 * that a signal never waits behind bytes that nobody reads.
 * vm/session.py has the other end. Included by guest.c.
 */

enum from_host {
	OPERATE = 'C',    /* the list of operations, strings that each end in \0 */
	INPUT = 'I',      /* bytes for the program's stdin */
	END_OF_INPUT = 'Z',
	WINDOW = 'W',     /* rows and columns, two bytes each */
	SIGNAL = 'S',     /* a number, one byte */
};

enum from_guest {
	MILESTONE = 'M',  /* microseconds since the kernel began, a space, a name */
	ROOM = 'R',       /* a number of bytes, four bytes: so much more input may come */
	OUTPUT = 'O',
	ERROR_OUTPUT = 'E',
	STARTED = 'P',    /* the program's pid, in decimal */
	FAILED = 'F',     /* an errno, a space, the operation that failed */
	EXIT = 'X',       /* the exit code, in decimal; nothing follows */
};

#define CONTROL_PORT "/dev/vport0p1"
#define AGENT_PORT "/dev/vport0p2"
#define PAYLOAD (64 << 10)
#define INPUT_WINDOW (256 << 10)

static int control = -1, agent = -1;

static void leave(void) __attribute__((noreturn));

static void leave(void)
{
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void send_all(int port, const void *bytes, size_t length)
{
	for (const char *next = bytes; length > 0;) {
		ssize_t sent = write(port, next, length);

		if (sent < 0 && errno != EINTR && errno != EAGAIN)
			leave();
		if (sent > 0) {
			next += sent;
			length -= sent;
		}
	}
}

static void say(char type, const void *payload, uint32_t length)
{
	static char frame[5 + PAYLOAD];

	/* In one write: each is an exit to the hypervisor. */
	frame[0] = type;
	memcpy(frame + 1, &length, 4);
	memcpy(frame + 5, payload, length);
	send_all(control, frame, 5 + length);
}

static void say_text(char type, const char *format, ...)
{
	char text[4096];
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	say(type, text, length < (int)sizeof text ? length : (int)sizeof text - 1);
}

/* Before there is a port, the console has to do. */
static void milestone(const char *name)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	long long microseconds = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
	if (control < 0)
		dprintf(2, "minirun: milestone %lld %s\n", microseconds, name);
	else
		say_text(MILESTONE, "%lld %s", microseconds, name);
}

static int open_port(const char *path)
{
	/* The host tells its ports one after the other, after the driver is there. */
	for (int tries = 0; tries < 20000; tries++) {
		int port = open(path, O_RDWR | O_CLOEXEC);

		if (port >= 0)
			return port;
		usleep(500);
	}
	give_up("there is no %s: %s", path, strerror(errno));
	return -1;
}

static void open_ports(void)
{
	control = open_port(CONTROL_PORT);
	agent = open_port(AGENT_PORT);
	fcntl(agent, F_SETOWN, getpid());
	fcntl(agent, F_SETFL, O_ASYNC | O_NONBLOCK);
}

/* Reads as much as was asked for; the end of the host is the end of the machine. */
static void take(void *bytes, size_t length)
{
	for (char *next = bytes; length > 0;) {
		ssize_t got = read(control, next, length);

		if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
			leave();
		if (got > 0) {
			next += got;
			length -= got;
		}
	}
}
