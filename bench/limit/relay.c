/* relay.c — Move n MiB of zeros from one child to another. splice between two
 * widened pipes: the pages change hands, nothing is copied.
 */
#include "common.h"

static const char *const SINK[] = {"/bin/cat", NULL};

static size_t move_all(int from, int to) {
  size_t moved = 0;
  ssize_t n;
  while ((n = splice(from, NULL, to, NULL, PIPE_MAX, SPLICE_F_MOVE)) > 0)
    moved += (size_t)n;
  check((int)n, "splice");
  return moved;
}

/* Start a child that reads what we write to the result, a widened pipe. */
static int start_writing(const char *const *argv, pid_t *pid) {
  int ends[2];
  make_pipe(ends);
  widen(ends[1]);
  int out = check(open("/dev/null", O_WRONLY | O_CLOEXEC), "/dev/null");
  *pid = start((child){argv, {ends[0], out, INHERIT}});
  close(ends[0]);
  close(out);
  return ends[1];
}

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 1024);
  size_t expected = (size_t)n << 20;
  char count[32];
  snprintf(count, sizeof count, "%zu", expected);
  const char *const args[] = {"/usr/bin/head", "-c", count, "/dev/zero", NULL};
  int null = open_null();
  double t = now();
  int from;
  pid_t source = start_reading(args, null, &from), sink;
  int to = start_writing(SINK, &sink);
  size_t moved = move_all(from, to);
  close(to);
  reap(source);
  reap(sink);
  double seconds = now() - t;
  if (moved != expected) fail("some bytes were not moved");
  report("relay", n, seconds, mib_per_s(n, seconds));
  return 0;
}
