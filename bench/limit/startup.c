/* startup.c — Start the bare interpreter, `lua5.4 -e ''`, again and again.
 * What a program that runs Lua cannot start faster than, unless it leaves out
 * a part of Lua.
 */
#include "common.h"

static const char *const ARGV[] = {"/usr/bin/lua5.4", "-e", "", NULL};

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 200);
  child c = {.argv = ARGV, .fds = {open_null(), INHERIT, INHERIT}};
  double t = now();
  for (long i = 0; i < n; i++)
    reap(start(c));
  double seconds = now() - t;
  char more[48];
  snprintf(more, sizeof more, ", \"ms_per_op\": %.3f",
           seconds / (double)n * 1e3);
  report("startup", n, seconds, more);
  return 0;
}
