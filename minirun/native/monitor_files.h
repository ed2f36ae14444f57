/* monitor_files.h - small files written whole, and text without stdio.
 *
 * printf(3) would cost an idle monitor more memory than all of its own code.
 * Part of monitor.c. rename(2), clock_gettime(2).
 */

/* Writes a number in decimal, at least `digits` of them, and a 0 byte after it; returns where that is. */
static char *put_number(char *at, long long number, int digits)
{
	char reversed[24];
	int count = 0;

	for (; number > 0 || count < digits; number /= 10)
		reversed[count++] = '0' + number % 10;
	while (count)
		*at++ = reversed[--count];
	*at = 0;
	return at;
}

/* RFC 3339 with nanoseconds, in UTC: 2026-11-21T23:40:28.123456789Z, 30 bytes and a 0. */
static char *put_time(char *at, const struct timespec *when)
{
	struct tm utc;

	gmtime_r(&when->tv_sec, &utc);
	at = stpcpy(put_number(at, utc.tm_year + 1900, 4), "-");
	at = stpcpy(put_number(at, utc.tm_mon + 1, 2), "-");
	at = stpcpy(put_number(at, utc.tm_mday, 2), "T");
	at = stpcpy(put_number(at, utc.tm_hour, 2), ":");
	at = stpcpy(put_number(at, utc.tm_min, 2), ":");
	at = stpcpy(put_number(at, utc.tm_sec, 2), ".");
	return stpcpy(put_number(at, when->tv_nsec, 9), "Z");
}

/* Whole or not at all: written beside, then renamed. 0, or -1 and nothing is there. */
static int save(int where, const char *name, const char *text, size_t length)
{
	char beside[32];

	stpcpy(stpcpy(beside, name), ".new");
	int fd = openat(where, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -1;
	int whole = write(fd, text, length) == (ssize_t)length;
	if (close(fd) == 0 && whole && renameat(where, beside, where, name) == 0)
		return 0;
	unlinkat(where, beside, 0);
	return -1;
}

/* Monotonic, for deadlines. */
static long long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void nap(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}
