/* os/lockfile.c — See lockfile.h. The lock ends with its holder, however that
 * ends; the file stays, for removing it would let two have locks of one name. */
#include "os/lockfile.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
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

int lv_lockfile_take(const char *path, pid_t *holder) {
  *holder = 0;
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd == -1) return -errno;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
    write_number(fd);
    return fd;
  }
  int rc = -errno;
  if (rc == -EWOULDBLOCK) *holder = read_number(fd);
  lv_fd_close(&fd);
  return rc;
}
