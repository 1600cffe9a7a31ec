/* os/inotify.c — See inotify.h. */
#include "os/inotify.h"

#include "os/fd.h"

#include <errno.h>
#include <sys/inotify.h>

int lv_inotify_open(const char *path, unsigned mask) {
  int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd == -1) return -errno;
  if (inotify_add_watch(fd, path, mask) >= 0) return fd;
  int rc = -errno;
  lv_fd_close(&fd);
  return rc;
}
