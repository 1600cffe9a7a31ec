/* os/clockset.c — A timer that nobody lives to see expire, which the kernel
 * cancels when its clock is set. */
#include "os/clockset.h"
#include "os/fd.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

static const time_t FAR = (time_t)1 << 33; /* the year 2242 */

static int arm(int fd) {
  struct itimerspec at = {.it_value = {.tv_sec = FAR}};
  int flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
  return timerfd_settime(fd, flags, &at, NULL) < 0 ? -errno : 0;
}

int lv_clockset_open(void) {
  int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (fd < 0) return -errno;
  int rc = arm(fd);
  if (rc == 0) return fd;
  lv_fd_close(&fd);
  return rc;
}

int lv_clockset_rearm(int fd) {
  uint64_t expired;
  ssize_t n = read(fd, &expired, sizeof expired); /* ECANCELED: it was set */
  (void)n;
  return arm(fd);
}
