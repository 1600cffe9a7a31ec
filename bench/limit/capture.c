/* capture.c — Read all that a child writes, n MiB of zeros, into memory.
 * The pipe is widened, and the memory grows by doubling, which mremap does by
 * moving page tables and not bytes. Half of the time goes into the first touch
 * of that memory: compare chunks.c, which keeps nothing.
 */
#include "common.h"

/* Returns malloc'd memory with everything up to the end of file. */
static char *read_all(int fd, size_t *got) {
  size_t size = PIPE_MAX;
  char *data = malloc(size);
  for (*got = 0;;) {
    if (data == NULL) die("malloc");
    ssize_t n = read(fd, data + *got, size - *got);
    if (n < 0) die("read");
    if (n == 0) return data;
    *got += (size_t)n;
    if (*got == size) data = realloc(data, size *= 2);
  }
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
  size_t got;
  char *data = read_all(out, &got);
  reap(pid);
  double seconds = now() - t;
  if (got != expected) fail("short output");
  report("capture", n, seconds, mib_per_s(n, seconds));
  free(data);
  return 0;
}
