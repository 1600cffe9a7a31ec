/* alive.c — n children alive: start them, let others come and go, stop all.
 * A child is waited for by its own pid, which the kernel answers without a
 * walk through the others.
 */
#include "common.h"

#define EXITS 200

static const char *const SLEEPER[] = {"/bin/sleep", "300", NULL};
static const char *const GUEST[] = {"/bin/true", NULL};

static double start_all(pid_t *pids, long n, int null) {
  double t = now();
  for (long i = 0; i < n; i++)
    pids[i] = start((child){SLEEPER, {null, INHERIT, INHERIT}});
  return now() - t;
}

static double let_some_exit(int null) {
  double t = now();
  for (int i = 0; i < EXITS; i++)
    reap(start((child){GUEST, {null, INHERIT, INHERIT}}));
  return now() - t;
}

static double stop_all(const pid_t *pids, long n) {
  double t = now();
  for (long i = 0; i < n; i++)
    check(kill(pids[i], SIGTERM), "kill");
  for (long i = 0; i < n; i++)
    check(waitpid(pids[i], NULL, 0), "waitpid");
  return now() - t;
}

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 2000);
  pid_t *pids = calloc((size_t)n, sizeof *pids);
  if (pids == NULL) die("calloc");
  int null = open_null();
  double started = start_all(pids, n, null);
  double exits = let_some_exit(null);
  double stopped = stop_all(pids, n);
  char more[128];
  snprintf(more, sizeof more,
           ", \"start_s\": %.6f, \"exit_us\": %.3f, \"stop_s\": %.6f", started,
           exits / EXITS * 1e6, stopped);
  report("alive", n, started + exits + stopped, more);
  free(pids);
  return 0;
}
