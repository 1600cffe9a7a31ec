/* os/lockfile.c — See lockfile.h. The lock ends with its holder, however that
 * ends. Who removes the file has the lock; who had opened it before gets one of
 * a file that is nowhere any more, sees that, and begins again. */
#include "os/lockfile.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static pid_t read_number(int fd) {
  char text[16] = "";
  ssize_t n = pread(fd, text, sizeof text - 1, 0);
  return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

/* For messages only: on a full disk the lock holds as well. */
static void write_number(int fd) {
  if (ftruncate(fd, 0) == 0) dprintf(fd, "%d\n", (int)getpid());
}

static bool is_at(int fd, const char *path) {
  struct stat ours, there;
  return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 &&
         ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

int lv_lockfile_take(const char *path, pid_t *holder) {
  *holder = 0;
  for (;;) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd == -1) return -errno;
    int rc = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno;
    if (rc == 0 && is_at(fd, path)) {
      write_number(fd);
      return fd;
    }
    if (rc == -EWOULDBLOCK) *holder = read_number(fd);
    lv_fd_close(&fd);
    if (rc < 0) return rc;
  }
}

void lv_lockfile_drop(const char *path, int *fd) {
  if (*fd >= 0 && is_at(*fd, path)) unlink(path);
  lv_fd_close(fd);
}
