/* roundtrip.c — Write a line to cat and read it back, again and again.
 * Blocking calls: a write and a read each. bench/run gives all programs of
 * this benchmark one and the same processor.
 */
#include "common.h"

#define LINE "the quick brown fox jumps over the lazy dog\n"

static const char *const ARGV[] = {"/bin/cat", NULL};

static void trip(int to, int from) {
  char back[sizeof LINE];
  size_t len = strlen(LINE);
  if (write(to, LINE, len) != (ssize_t)len) die("write");
  if (read(from, back, sizeof back) != (ssize_t)len) fail("short read");
  if (memcmp(back, LINE, len) != 0) fail("cat wrote something else");
}

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 20000);
  int in[2], out[2];
  make_pipe(in);
  make_pipe(out);
  pid_t pid = start((child){ARGV, {in[0], out[1], INHERIT}});
  close(in[0]);
  close(out[1]);
  double t = now();
  for (long i = 0; i < n; i++)
    trip(in[1], out[0]);
  double seconds = now() - t;
  close(in[1]);
  reap(pid);
  report("roundtrip", n, seconds, "");
  return 0;
}
