/* monitor_clients.h - who is connected, what they say, what they are owed.
 *
 * One packet is one message, its first byte says which, at most 16 KiB follow:
 *     client:   A flags   attach: 1 stdout, 2 stderr, 4 stdin
 *               S         start: open the gate      I data  for stdin
 *               C         stdin has ended           W rows columns (2 x u16)
 *               T         I take over what follows  D       and am done with it
 *     monitor:  S started   F why it could not   O stdout   E stderr   X the exit
 *
 * An attached client gets all output from then on. Nothing is kept for it but one
 * chunk: while a client cannot take that, nobody is served more (back pressure).
 *
 * Part of monitor.c. unix(7) SOCK_SEQPACKET, recv(2), send(2).
 */

/* What a client is, and what it still has to get: paid in the order of the bits. */
enum { WANTS_STDOUT = 1, WANTS_STDERR = 2, GIVES_STDIN = 4, TAKES_OVER = 8, DEAF = 16 };
enum { OWED_STARTED = 1, OWED_FAILED = 2, OWED_CHUNK = 4, OWED_EXIT = 8 };
enum { CLIENTS = 16 };

static struct client { int fd; unsigned char is, owed; } clients[CLIENTS];
static char packet[1 + CHUNK]; /* the last one heard */
static int released;           /* what comes after has been done by a client */

#define EACH_CLIENT(c) (struct client *c = clients; c < clients + CLIENTS; c++) if (c->fd >= 0)

static void welcome(int fd);
static void tell_watchers(void);
static void hang_up(struct client *c);
static void pay(struct client *c);
static void lose(struct client *c);

/* Takes in whoever waits at attach.sock. */
static void accept_clients(void)
{
	int fd;

	while (listener >= 0 && (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		welcome(fd);
	if (listener >= 0 && errno != EAGAIN && errno != ECONNABORTED)
		nap(100); /* out of files or memory: do not spin on it */
}

/* The seventeenth is refused. Whoever comes after the end hears of it. */
static void welcome(int fd)
{
	for (struct client *c = clients; c < clients + CLIENTS; c++)
		if (c->fd < 0) {
			*c = (struct client){ fd, 0, end >= RECORDED ? OWED_EXIT : 0 };
			return;
		}
	close(fd);
}

/* Takes one packet from a client; true if there may be more. */
static int hear_client(struct client *c)
{
	ssize_t length = recv(c->fd, packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC);

	if (length < 0 && errno == EAGAIN)
		return 0;
	if (length < 0 && errno == ECONNRESET) {
		lose(c);
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

/* Who wants no output does not wait until all of it is delivered: `stop` and `rm -f`
 * shall not hang because somebody's pager stands still. */
static void tell_watchers(void)
{
	for EACH_CLIENT(c)
		if (!(c->is & (WANTS_STDOUT | WANTS_STDERR | DEAF))) {
			c->owed |= OWED_EXIT;
			pay(c);
			c->is |= DEAF;
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
		} else if (errno == EAGAIN) {
			return;
		} else if (errno == ENOMEM || errno == ENOBUFS) {
			nap(10); /* not the client's fault, and poll(2) would not wait for it */
			return;
		} else {
			lose(c);
		}
	}
}

/* It is gone, and our packets with it. What it sent before is still to be heard, up to its end of file. */
static void lose(struct client *c)
{
	c->is = (c->is & ~(WANTS_STDOUT | WANTS_STDERR)) | DEAF;
	c->owed = 0;
}

static int owed_to_anyone(int what)
{
	for EACH_CLIENT(c)
		if (c->owed & what)
			return 1;
	return 0;
}
