/* service.c — What the supervised services of services.py do.
 *
 *   service report FIFO       write "PID\n" to the FIFO, and wait for ever
 *   service crash FIFO        the same, but exit at once with 1
 *   service log FIFO MIB      wait for a start of a second, then write so many
 *                             MiB of lines of 100 bytes to stdout; "0\n" goes
 *                             to the FIFO before, "1\n" after; wait for ever
 *
 * The FIFO stays open to the end, so its reader sees that all have ended.
 */
#include "common.h"

/* As stdio does: pieces of a round size, whose ends fall into lines. */
enum { LINE = 100, PIECE = 64 * 1024, ALL = PIECE * 25 };

static const char *const usage = "service report|crash|log FIFO [MIB]";

static void say(int fd, long number) {
  char line[32];
  int n = snprintf(line, sizeof line, "%ld\n", number);
  check((int)write(fd, line, (size_t)n), "write to the FIFO");
}

static void write_all(const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t put = write(STDOUT_FILENO, bytes, n);
    if (put < 0) die("write");
    bytes += put;
    n -= (size_t)put;
  }
}

/* Each line is letters and a newline, so that a cut one is seen. */
static void write_lines(long mib) {
  static char lines[ALL];
  memset(lines, 'x', sizeof lines);
  for (size_t at = LINE - 1; at < sizeof lines; at += LINE)
    lines[at] = '\n';
  for (long at = 0; at < mib << 20; at += PIECE)
    write_all(lines + at % ALL, PIECE);
}

static void log_lines(int fifo, long mib) {
  sleep(1);
  say(fifo, 0);
  write_lines(mib);
  say(fifo, 1);
}

int main(int argc, char **argv) {
  if (argc < 3) fail(usage);
  int fifo = check(open(argv[2], O_WRONLY | O_CLOEXEC), argv[2]);
  if (strcmp(argv[1], "log") == 0) {
    log_lines(fifo, argc > 3 ? strtol(argv[3], NULL, 10) : 1);
  } else {
    say(fifo, getpid());
    if (strcmp(argv[1], "crash") == 0) return 1;
  }
  for (;;)
    pause();
}
