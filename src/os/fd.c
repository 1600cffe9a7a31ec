/* os/fd.c — Descriptors.
 *
 * Every descriptor made here is CLOEXEC from birth, so that no thread of ours
 * can leak it into a child. O_NONBLOCK belongs to the open file description,
 * which others may share (our shell shares our terminal): what we did not open
 * ourselves is never switched, but opened anew through /proc/self/fd. */
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int lv_fd_pipe(int ends[2]) {
  return pipe2(ends, O_CLOEXEC) == -1 ? -errno : 0;
}

int lv_fd_dup(int fd) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  return copy == -1 ? -errno : copy;
}

/* EBUSY: another thread is about to get that number (dup(2)). */
int lv_fd_copy_to(int fd, int number) {
  int rc;
  do
    rc = dup3(fd, number, O_CLOEXEC);
  while (rc == -1 && (errno == EINTR || errno == EBUSY));
  return rc == -1 ? -errno : 0;
}

int lv_fd_open_at(int dir, const char *path, int flags, mode_t mode) {
  int fd;
  do
    fd = openat(dir, path, flags | O_CLOEXEC, mode);
  while (fd == -1 && errno == EINTR);
  return fd == -1 ? -errno : fd;
}

static int open_retrying(const char *path, int flags, mode_t mode) {
  return lv_fd_open_at(AT_FDCWD, path, flags | O_NONBLOCK | O_NOCTTY, mode);
}

int lv_fd_open(const char *path, int flags, mode_t mode) {
  int fd = open_retrying(path, flags, mode);
  if (fd < 0 || (flags & (O_PATH | O_NONBLOCK)) != 0) return fd;
  int rc = lv_fd_set_nonblocking(fd, false);
  if (rc < 0) lv_fd_close(&fd);
  return rc < 0 ? rc : fd;
}

/* To open the master side of a pseudo-terminal again is to make another one. */
static bool is_pty_master(int fd) {
  int number;
  return ioctl(fd, TIOCGPTN, &number) == 0;
}

int lv_fd_reopen(int fd, int flags) {
  char path[sizeof "/proc/self/fd/-2147483648"];
  if (is_pty_master(fd)) return -ENXIO; /* as open(2) says of a socket */
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open_retrying(path, flags & ~(O_CREAT | O_EXCL | O_TRUNC), 0);
}

/* Linux frees the number even where close fails, EINTR included (close(2)). */
void lv_fd_close(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

int lv_fd_set_nonblocking(int fd, bool on) {
  int flags = fcntl(fd, F_GETFL);
  if (flags == -1) return -errno;
  int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (wanted == flags) return 0;
  return fcntl(fd, F_SETFL, wanted) == -1 ? -errno : 0;
}

bool lv_fd_is_open(int fd) {
  return fcntl(fd, F_GETFD) != -1;
}

/* The wrong way round, so that reading and writing fail as if it were closed;
 * CLOEXEC, as nothing that we have inherited is. */
void lv_fd_fill_standard(void) {
  for (int fd = 0; fd <= STDERR_FILENO; fd++) {
    if (lv_fd_is_open(fd)) continue;
    int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", mode | O_CLOEXEC) != fd) return;
  }
}

bool lv_fd_is_inherited(int fd) {
  int flags = fcntl(fd, F_GETFD);
  return flags != -1 && (fd > STDERR_FILENO || (flags & FD_CLOEXEC) == 0);
}

int lv_fd_kind_of(int fd) {
  struct stat st;
  if (fstat(fd, &st) == -1) return -errno;
  switch (st.st_mode & S_IFMT) {
  case S_IFIFO: return LV_FD_PIPE;
  case S_IFSOCK: return LV_FD_SOCKET;
  case S_IFREG:
  case S_IFBLK: return LV_FD_FILE;
  case S_IFCHR: return isatty(fd) ? LV_FD_TTY : LV_FD_OTHER;
  default: return LV_FD_OTHER;
  }
}

ssize_t lv_fd_read(int fd, void *buf, size_t n) {
  ssize_t got;
  do
    got = read(fd, buf, n);
  while (got == -1 && errno == EINTR);
  return got == -1 ? -errno : got;
}

ssize_t lv_fd_readv(int fd, const struct iovec *iov, int n) {
  ssize_t got;
  do
    got = readv(fd, iov, n);
  while (got == -1 && errno == EINTR);
  return got == -1 ? -errno : got;
}

ssize_t lv_fd_writev(int fd, const struct iovec *iov, int n) {
  ssize_t put;
  do
    put = writev(fd, iov, n);
  while (put == -1 && errno == EINTR);
  return put == -1 ? -errno : put;
}

ssize_t lv_fd_splice(int from, int to, size_t n) {
  ssize_t moved;
  do
    moved = splice(from, NULL, to, NULL, n, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  while (moved == -1 && errno == EINTR);
  return moved == -1 ? -errno : moved;
}

int lv_fd_pipe_size(int fd) {
  int size = fcntl(fd, F_GETPIPE_SZ);
  return size == -1 ? -errno : size;
}

int lv_fd_set_pipe_size(int fd, size_t n) {
  if (n > INT_MAX) return -EINVAL;
  int size = fcntl(fd, F_SETPIPE_SZ, (int)n);
  return size == -1 ? -errno : size;
}

int lv_fd_unread(int fd) {
  int n;
  return ioctl(fd, FIONREAD, &n) == -1 ? -errno : n;
}

bool lv_fd_pipe_is_at_end(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) == 1 && p.revents == POLLHUP;
}

/* Small writes do not share pages, so a full pipe may hold much less than its
 * size: only its writing end can tell (pipe(7)). */
bool lv_fd_pipe_is_full(int fd) {
  if (lv_fd_kind_of(fd) != LV_FD_PIPE) return false;
  int end = lv_fd_reopen(fd, O_WRONLY);
  if (end < 0) return lv_fd_unread(fd) == lv_fd_pipe_size(fd);
  struct pollfd p = {.fd = end, .events = POLLOUT};
  bool full = poll(&p, 1, 0) == 0;
  lv_fd_close(&end);
  return full;
}

bool lv_fd_has_lost_reader(int fd) {
  struct pollfd p = {.fd = fd};
  return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP)) != 0;
}
