/* monitor_log.h - the container's log, in Kubernetes' format.
 *
 *     2026-11-21T23:40:28.123456789Z stdout F a whole line
 *     2026-11-21T23:40:28.200000000Z stdout P the first part of one, cut anywhere
 *
 * container.log is the newest, container.log.1 the one before, and so on. A
 * disk that is full costs log lines (counted), never the container's progress.
 * Part of monitor.c. writev(2); CRI: kubelet's pkg/kubelet/kuberuntime/logs.
 */

enum { STDOUT, STDERR, IOVECS = 256 };

static int log_directory = -1, log_files = 1, log_file = -1;
static int log_partial[2]; /* the stream's last record was a P */
static long long log_limit = LLONG_MAX, log_size, log_lost;

static void log_write(const struct iovec *parts, int count, long long length);
static void log_open(void);
static void log_rotate(void);

/* Logs one chunk of a stream. Its lines are written from where they lie, no copy is made. */
static void log_chunk(int stream, const char *text, size_t length)
{
	static struct iovec parts[IOVECS];
	char whole[64], part[64];
	const char *stop = text + length;
	struct timespec now;
	int count = 0;
	long long bytes = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	size_t header = stpcpy(put_time(whole, &now), stream ? " stderr F " : " stdout F ") - whole;
	memcpy(part, whole, header);
	part[header - 2] = 'P';
	while (text < stop) {
		const char *newline = memchr(text, '\n', stop - text);
		const char *next = newline ? newline + 1 : stop;

		parts[count++] = (struct iovec){ newline ? whole : part, header };
		parts[count++] = (struct iovec){ (char *)text, next - text };
		if (!newline)
			parts[count++] = (struct iovec){ "\n", 1 };
		bytes += header + (next - text) + !newline;
		log_partial[stream] = !newline;
		text = next;
		if (text == stop || count > IOVECS - 3 || log_size + bytes >= log_limit) {
			log_write(parts, count, bytes);
			count = bytes = 0;
		}
	}
}

/* All of it or nothing: a record cut short by a full disk would spoil the next one. */
static void log_write(const struct iovec *parts, int count, long long length)
{
	int between_lines = !log_partial[STDOUT] && !log_partial[STDERR];

	if (log_file < 0)
		log_open();
	for (int tries = 2; log_file >= 0 && tries; tries--) {
		if (writev(log_file, parts, count) == length) {
			log_size += length;
			/* A line without an end must not fill the disk: at twice the limit it is cut. */
			if (log_size >= log_limit && (between_lines || log_size / 2 >= log_limit))
				log_rotate();
			return;
		}
		if (ftruncate(log_file, log_size) < 0)
			break;
	}
	log_lost += length;
}

/* If it fails, the next record tries again. */
static void log_open(void)
{
	struct stat status;

	log_file = openat(log_directory, "container.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	log_size = log_file >= 0 && fstat(log_file, &status) == 0 ? status.st_size : 0;
}

static void log_rotate(void)
{
	char from[32], to[32];

	for (int i = log_files - 1; i > 0; i--) {
		put_number(stpcpy(from, "container.log."), i - 1, 1);
		put_number(stpcpy(to, "container.log."), i, 1);
		renameat(log_directory, i > 1 ? from : "container.log", log_directory, to);
	}
	if (log_files <= 1)
		unlinkat(log_directory, "container.log", 0);
	close(log_file);
	log_open();
}
