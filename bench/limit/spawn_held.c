/* spawn_held.c — As spawn.c, with 1 GiB of touched memory in the parent.
 * A fork would copy the page tables of all of it; a clone that shares the
 * memory does not look at them, so the limit is that of spawn.c.
 */
#include "common.h"

#define HELD ((size_t)1 << 30)

static const char *const ARGV[] = {"/bin/true", NULL};

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 300);
  char *held = malloc(HELD);
  if (held == NULL) die("malloc");
  memset(held, 'x', HELD);
  child c = {.argv = ARGV, .fds = {open_null(), INHERIT, INHERIT}};
  double t = now();
  for (long i = 0; i < n; i++)
    reap(start(c));
  double seconds = now() - t;
  if (held[HELD / 2] != 'x') fail("the memory changed"); /* it was held */
  report("spawn_held", n, seconds, "");
  free(held);
  return 0;
}
