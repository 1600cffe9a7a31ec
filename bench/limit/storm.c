/* storm.c — Services that crash at once, each started again when it has ended,
 * for so long: with clone and wait alone. Nobody hears their reports. */
#include "common.h"

static const double SECONDS = 5;

static const char *const argv_of_service[] = {"build/bench/service", "crash",
                                              "/dev/null", NULL};

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 200), count = 0;
  int null = check(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null");
  child service = {argv_of_service, {null, null, null}};
  for (long i = 0; i < n; i++)
    start(service);
  double from = now();
  while (now() < from + SECONDS) {
    check(wait(NULL), "wait");
    start(service);
    count++;
  }
  double seconds = now() - from;
  for (long i = 0; i < n; i++)
    check(wait(NULL), "wait");
  char more[48];
  snprintf(more, sizeof more, ", \"restarts_per_s\": %.1f",
           (double)count / seconds);
  report("storm", n, seconds, more);
  return 0;
}
