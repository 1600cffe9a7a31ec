/* services.c — As many services as are wanted, started, one of them restarted
 * when it is killed, all stopped: with clone, waitpid and kill alone. */
#include <sys/stat.h>

#include "common.h"

enum { RESTARTS = 50 };

static char fifo_path[300];
static const char *argv_of_service[] = {"build/bench/service", "report",
                                        fifo_path, NULL};
static int null;
static FILE *reports;

static pid_t begin(void) {
  return start((child){argv_of_service, {null, null, null}});
}

static void hear(long n) {
  char line[32];
  for (long i = 0; i < n; i++)
    if (fgets(line, sizeof line, reports) == NULL) fail("a report is missing");
}

static void make_fifo(const char *dir) {
  snprintf(fifo_path, sizeof fifo_path, "%s/fifo", dir);
  check(mkfifo(fifo_path, 0600), fifo_path);
  int reader =
      check(open(fifo_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), fifo_path);
  check(open(fifo_path, O_WRONLY | O_CLOEXEC), fifo_path);
  check(fcntl(reader, F_SETFL, 0), "F_SETFL");
  reports = fdopen(reader, "r");
}

static double start_all(pid_t *pids, long n) {
  double from = now();
  for (long i = 0; i < n; i++)
    pids[i] = begin();
  hear(n);
  return now() - from;
}

static double restart(pid_t *pid) {
  double from = now();
  for (int i = 0; i < RESTARTS; i++) {
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    *pid = begin();
    hear(1);
  }
  return (now() - from) / RESTARTS;
}

static double stop_all(const pid_t *pids, long n) {
  double from = now();
  for (long i = 0; i < n; i++)
    kill(pids[i], SIGTERM);
  for (long i = 0; i < n; i++)
    waitpid(pids[i], NULL, 0);
  return now() - from;
}

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 1000);
  pid_t *pids = calloc((size_t)n, sizeof *pids);
  if (pids == NULL) die("calloc");
  null = check(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null");
  const char *dir = make_dir();
  make_fifo(dir);
  double started = start_all(pids, n);
  double restarted = restart(&pids[0]);
  double stopped = stop_all(pids, n);
  unlink(fifo_path);
  rmdir(dir);
  char more[128];
  snprintf(more, sizeof more,
           ", \"start_s\": %.6f, \"restart_ms\": %.4f, \"stop_s\": %.6f",
           started, restarted * 1e3, stopped);
  report("services", n, started + stopped, more);
  return 0;
}
