/* chunks.c — Read all that a child writes, n MiB of zeros, and keep nothing.
 * A widened pipe and one buffer that stays in the processor's cache: what is
 * left is the kernel's copying.
 */
#include "common.h"

#define CHUNK (1 << 18)

static size_t read_all(int fd) {
  static char data[CHUNK];
  size_t got = 0;
  ssize_t n;
  while ((n = read(fd, data, sizeof data)) > 0)
    got += (size_t)n;
  check((int)n, "read");
  return got;
}

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 1024);
  size_t expected = (size_t)n << 20;
  char count[32];
  snprintf(count, sizeof count, "%zu", expected);
  const char *const args[] = {"/usr/bin/head", "-c", count, "/dev/zero", NULL};
  int null = open_null();
  double t = now();
  int out;
  pid_t pid = start_reading(args, null, &out);
  size_t got = read_all(out);
  reap(pid);
  double seconds = now() - t;
  if (got != expected) fail("short output");
  report("chunks", n, seconds, mib_per_s(n, seconds));
  return 0;
}
