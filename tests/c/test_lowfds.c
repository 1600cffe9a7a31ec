/* tests/c/test_lowfds.c — Low numbers kept for children. */
#include "os/lowfds.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"
#include "spawning.h"

static bool is_same(int a, int b) {
  struct stat x, y;
  return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
         x.st_dev == y.st_dev;
}

static bool is_low(int fd) {
  return fd > STDERR_FILENO && fd < LV_LOWFDS_END;
}

static void lends_a_low_copy(void) {
  lv_lowfds low;
  int ends[2];
  lv_lowfds_init(&low);
  is_int(lv_fd_pipe(ends), 0, "a pipe");
  int a = lv_lowfds_lend(&low, ends[0]), b = lv_lowfds_lend(&low, ends[1]);
  ok(is_low(a) && is_low(b) && a != b, "low numbers");
  ok(is_same(a, ends[0]) && is_same(b, ends[1]), "of the same pipe");
  is_int(fcntl(a, F_GETFD), FD_CLOEXEC, "CLOEXEC");
  is_int(lv_lowfds_lend(&low, ends[0]), a, "the same one each time");
  lv_fd_close(&ends[1]);
  lv_lowfds_take_back(&low);
  char c;
  is_int(lv_fd_read(ends[0], &c, 1), 0, "taken back, it holds nothing open");
  ok(lv_fd_is_open(a) && lv_fd_is_open(b), "and the numbers stay taken");
  lv_fd_close(&ends[0]);
  lv_lowfds_fini(&low);
}

static void lends_no_more_than_it_has(void) {
  lv_lowfds low;
  int fds[LV_LOWFDS + 1];
  lv_lowfds_init(&low);
  for (int i = 0; i <= LV_LOWFDS; i++)
    fds[i] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, LV_LOWFDS_END);
  for (int i = 0; i < LV_LOWFDS; i++)
    ok(is_low(lv_lowfds_lend(&low, fds[i])), "number %d", i);
  is_int(lv_lowfds_lend(&low, fds[LV_LOWFDS]), fds[LV_LOWFDS],
         "the next one is what it was");
  lv_lowfds_take_back(&low);
  ok(is_low(lv_lowfds_lend(&low, fds[LV_LOWFDS])), "but not next time");
  lv_lowfds_take_back(&low);
  for (int i = 0; i <= LV_LOWFDS; i++)
    lv_fd_close(&fds[i]);
  lv_lowfds_fini(&low);
}

static void opens_the_numbers_that_are_not_low(void) {
  lv_lowfds low;
  int made[LV_LOWFDS_END], n, other = LV_LOWFDS_END + 3;
  lv_lowfds_init(&low);
  dup3(STDERR_FILENO, other, O_CLOEXEC);
  ok(lv_lowfds_crowd(&low, made, &n), "all of them");
  is_int(n, LV_LOWFDS_END - 1, "but for the one that was open");
  for (int i = 0; i < n; i++)
    lv_fd_close(&made[i]);
  ok(lv_fd_is_open(other), "which still is");
  lv_fd_close(&other);
  lv_lowfds_fini(&low);
}

/* All low numbers are taken. */
static bool does_without(void) {
  lv_lowfds low;
  int made[LV_LOWFDS_END], n;
  while (lv_fd_dup(STDERR_FILENO) < LV_LOWFDS_END) {
  }
  lv_lowfds_init(&low);
  bool good = lv_lowfds_lend(&low, LV_LOWFDS_END) == LV_LOWFDS_END &&
              !lv_lowfds_crowd(&low, made, &n) && n == 0;
  lv_lowfds_take_back(&low);
  lv_lowfds_fini(&low);
  return good;
}

static void works_with_none_at_all(void) {
  ok(apart(does_without), "without low numbers");
}

int main(void) {
  run(lends_a_low_copy);
  run(lends_no_more_than_it_has);
  run(opens_the_numbers_that_are_not_low);
  run(works_with_none_at_all);
  return tap_done();
}
