/* os/lowfds.c — See lowfds.h. Numbers are kept by holding them open as copies
 * of a descriptor that means nothing and keeps nothing busy: an eventfd. To
 * close them instead would give them to the next who opens something. */
#include "os/lowfds.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/fd.h"

/* A copy below END and above the standard three, or -1. */
static int keep(int fd) {
  int copy = lv_fd_dup(fd);
  if (copy >= LV_LOWFDS_END) lv_fd_close(&copy);
  return copy < 0 ? -1 : copy;
}

void lv_lowfds_init(lv_lowfds *low) {
  int fd = eventfd(0, EFD_CLOEXEC);
  low->blank = fd < 0 ? -1 : keep(fd);
  lv_fd_close(&fd);
  for (int i = 0; i < LV_LOWFDS; i++) {
    low->slots[i] = low->blank < 0 ? -1 : keep(low->blank);
    low->copied[i] = -1;
  }
}

void lv_lowfds_fini(lv_lowfds *low) {
  for (int i = 0; i < LV_LOWFDS; i++)
    lv_fd_close(&low->slots[i]);
  lv_fd_close(&low->blank);
}

int lv_lowfds_lend(lv_lowfds *low, int fd) {
  for (int i = 0; i < LV_LOWFDS && low->slots[i] >= 0; i++) {
    if (low->copied[i] == -1 && lv_fd_copy_to(fd, low->slots[i]) == 0)
      low->copied[i] = fd;
    if (low->copied[i] == fd) return low->slots[i];
  }
  return fd;
}

void lv_lowfds_take_back(lv_lowfds *low) {
  for (int i = 0; i < LV_LOWFDS && low->copied[i] >= 0; i++) {
    if (lv_fd_copy_to(low->blank, low->slots[i]) < 0)
      lv_fd_close(&low->slots[i]);
    low->copied[i] = -1;
  }
}

bool lv_lowfds_crowd(lv_lowfds *low, int made[LV_LOWFDS_END], int *n) {
  int fd;
  *n = 0;
  while ((fd = fcntl(low->blank, F_DUPFD_CLOEXEC, LV_LOWFDS_END)) >= 0) {
    if (fd >= 2 * LV_LOWFDS_END) {
      lv_fd_close(&fd);
      return true;
    }
    made[(*n)++] = fd;
  }
  return false;
}
