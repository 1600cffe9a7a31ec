/* lines.c — Find every line that a child writes: seq's, n of them.
 * Reads of up to 1 MiB, and memchr; a line that is cut by the end of the
 * buffer is moved to its front.
 */
#include "common.h"

typedef struct {
  long lines;
  size_t bytes; /* without the newlines */
} tally;

/* Take the whole lines of data[0..len). Returns how many bytes they are. */
static size_t take(const char *data, size_t len, tally *sum) {
  const char *at = data, *end = data + len, *nl;
  while ((nl = memchr(at, '\n', (size_t)(end - at))) != NULL) {
    sum->lines++;
    sum->bytes += (size_t)(nl - at);
    at = nl + 1;
  }
  return (size_t)(at - data);
}

static tally read_lines(int fd) {
  static char data[PIPE_MAX];
  tally sum = {0, 0};
  size_t kept = 0;
  ssize_t r;
  while ((r = read(fd, data + kept, sizeof data - kept)) > 0) {
    size_t len = kept + (size_t)r;
    size_t taken = take(data, len, &sum);
    kept = len - taken;
    memmove(data, data + taken, kept);
  }
  check((int)r, "read");
  return sum;
}

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 5000000);
  char count[32];
  snprintf(count, sizeof count, "%ld", n);
  const char *const args[] = {"/usr/bin/seq", count, NULL};
  int null = open_null();
  double t = now();
  int out;
  pid_t pid = start_reading(args, null, &out);
  tally sum = read_lines(out);
  reap(pid);
  double seconds = now() - t;
  if (sum.lines != n) fail("some lines are missing");
  char more[64];
  snprintf(more, sizeof more, ", \"bytes\": %zu", sum.bytes);
  report("lines", n, seconds, more);
  return 0;
}
