/* spawn.c — Start /bin/true and wait for it, one after another.
 * A clone that shares memory, and a waitpid: two system calls of ours each.
 */
#include "common.h"

static const char *const ARGV[] = {"/bin/true", NULL};

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 2000);
  child c = {.argv = ARGV, .fds = {open_null(), INHERIT, INHERIT}};
  double t = now();
  for (long i = 0; i < n; i++)
    reap(start(c));
  report("spawn", n, now() - t, "");
  return 0;
}
