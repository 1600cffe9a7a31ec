/* os/logfile.c — See logfile.h.
 *
 * Not O_APPEND, which splice(2) refuses. So two writers would write over each
 * other, and a lock keeps the second one out. It is opened for reading, too:
 * what was spliced we have not seen, and need to know how it ends. */
#include "os/logfile.h"

#include "os/fd.h"
#include "os/file.h"
#include "os/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  MODE = 0640,
  FOLDER_MODE = -1,
  PATIENCE = 100 /* ms that a reader of what is no file has */
};

static int make_folder(const char *path) {
  char *dir, *base;
  lv_fault fault = {0};
  int rc = lv_path_split(path, &dir, &base);
  if (rc < 0) return rc;
  rc = lv_dir_make(dir, FOLDER_MODE, true, &fault);
  free(dir);
  free(base);
  return rc;
}

static int open_or_make(const char *path) {
  int fd = lv_fd_open(path, O_RDWR | O_CREAT | O_NONBLOCK, MODE);
  if (fd != -ENOENT) return fd;
  int rc = make_folder(path);
  if (rc < 0) return rc;
  return lv_fd_open(path, O_RDWR | O_CREAT | O_NONBLOCK, MODE);
}

/* Where there are no locks we do without. */
static int lock(int fd) {
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
  return errno == EWOULDBLOCK ? -EBUSY : 0;
}

static int go_to_end(lv_logfile *f) {
  off_t end = lseek(f->fd, 0, SEEK_END);
  if (end == -1) return -errno;
  f->size = f->from = (uint64_t)end;
  f->at_start = end == 0 ? 1 : -1;
  return 0;
}

static int settle(lv_logfile *f) {
  struct stat st;
  if (fstat(f->fd, &st) == -1) return -errno;
  f->dev = st.st_dev;
  f->ino = st.st_ino;
  f->regular = S_ISREG(st.st_mode);
  if (!f->regular) return 0;
  int rc = lock(f->fd);
  if (rc == 0) rc = go_to_end(f);
  if (rc == 0) f->torn = !lv_logfile_at_start(f);
  return rc;
}

int lv_logfile_open(lv_logfile *f, const char *path) {
  int fd = open_or_make(path);
  if (fd < 0) return fd;
  *f = (lv_logfile){.fd = fd, .at_start = 1};
  int rc = settle(f);
  if (rc < 0) lv_logfile_close(f);
  return rc;
}

void lv_logfile_close(lv_logfile *f) {
  lv_fd_close(&f->fd);
}

bool lv_logfile_look(lv_logfile *f) {
  struct stat st;
  if (!f->regular || fstat(f->fd, &st) == -1) return true;
  if ((uint64_t)st.st_size < f->size) go_to_end(f);
  return st.st_nlink > 0;
}

bool lv_logfile_is(const lv_logfile *f, const char *path) {
  struct stat st;
  if (f->fd < 0 || stat(path, &st) == -1) return false;
  return st.st_dev == f->dev && st.st_ino == f->ino;
}

static ssize_t write_some(const lv_logfile *f, const char *bytes, size_t n) {
  const struct iovec piece = {(char *)bytes, n};
  ssize_t put = lv_fd_writev(f->fd, &piece, 1);
  if (put != -EAGAIN) return put;
  struct pollfd p = {.fd = f->fd, .events = POLLOUT};
  poll(&p, 1, PATIENCE);
  return lv_fd_writev(f->fd, &piece, 1);
}

ssize_t lv_logfile_write(lv_logfile *f, const char *bytes, size_t n) {
  ssize_t put = write_some(f, bytes, n);
  if (put <= 0) return put;
  f->size += (uint64_t)put;
  f->at_start = bytes[put - 1] == '\n';
  return put;
}

ssize_t lv_logfile_splice(lv_logfile *f, int pipe, size_t n) {
  ssize_t moved = lv_fd_splice(pipe, f->fd, n);
  if (moved <= 0) return moved;
  f->size += (uint64_t)moved;
  f->at_start = -1;
  return moved;
}

/* What cannot be read counts as the beginning of a line. */
bool lv_logfile_at_start(lv_logfile *f) {
  char last = '\n';
  if (f->at_start < 0)
    f->at_start =
        pread(f->fd, &last, 1, (off_t)f->size - 1) != 1 || last == '\n';
  return f->at_start != 0;
}
