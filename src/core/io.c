/* core/io.c — Reading and writing without ever making a shared file description
 * non-blocking: our stdout is our caller's stdout, and whoever else writes to
 * it would get EAGAIN and lose output. See io.h. */
#include "core/io.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

/* A blocking write of more than this to a pipe with room for less waits for a
 * reader; of this or less it is atomic (pipe(7)). */
enum { POLLED_WRITE = 4096 };

int lv_io_own(int fd, lv_io *out) {
  int kind = lv_fd_kind_of(fd);
  if (kind < 0) return kind;
  *out = (lv_io){fd, kind == LV_FD_FILE ? LV_IO_FILE : LV_IO_OWN};
  return kind == LV_FD_FILE ? 0 : lv_fd_set_nonblocking(fd, true);
}

/* To open an fd anew must not give more than it gives itself: the other end of
 * a pipe, say. */
static bool permits(int fd, int flags) {
  int has = fcntl(fd, F_GETFL) & O_ACCMODE;
  return has == O_RDWR || has == (flags & O_ACCMODE);
}

/* A file is not reopened: its offset and O_APPEND are part of what we share. */
int lv_io_share(int fd, int flags, lv_io *out) {
  int kind = lv_fd_kind_of(fd);
  if (kind < 0) return kind;
  if (!permits(fd, flags)) return -EBADF;
  if (kind != LV_FD_FILE && kind != LV_FD_SOCKET) {
    int own = lv_fd_reopen(fd, flags);
    if (own >= 0) {
      *out = (lv_io){own, LV_IO_OWN};
      return 0;
    }
  }
  int copy = lv_fd_dup(fd);
  if (copy < 0) return copy;
  lv_io_mode mode = LV_IO_POLLED;
  if (kind == LV_FD_FILE) mode = LV_IO_FILE;
  if (kind == LV_FD_SOCKET) mode = LV_IO_SOCKET;
  *out = (lv_io){copy, mode};
  return 0;
}

static bool is_ready(int fd, short events) {
  struct pollfd p = {.fd = fd, .events = events};
  return poll(&p, 1, 0) > 0;
}

static struct msghdr message(const struct iovec *iov, int n) {
  return (struct msghdr){.msg_iov = (struct iovec *)iov,
                         .msg_iovlen = (size_t)n};
}

ssize_t lv_io_readv(const lv_io *io, const struct iovec *iov, int n) {
  if (io->mode == LV_IO_SOCKET) {
    struct msghdr msg = message(iov, n);
    ssize_t got;
    do
      got = recvmsg(io->fd, &msg, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
  }
  if (io->mode == LV_IO_POLLED && !is_ready(io->fd, POLLIN)) return -EAGAIN;
  return lv_fd_readv(io->fd, iov, n);
}

ssize_t lv_io_writev(const lv_io *io, const struct iovec *iov, int n) {
  if (io->mode == LV_IO_SOCKET) {
    struct msghdr msg = message(iov, n);
    ssize_t put;
    do
      put = sendmsg(io->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
  }
  if (io->mode == LV_IO_OWN) return lv_fd_writev(io->fd, iov, n);
  if (!is_ready(io->fd, POLLOUT)) return -EAGAIN;
  struct iovec first = iov[0];
  if (first.iov_len > POLLED_WRITE) first.iov_len = POLLED_WRITE;
  return lv_fd_writev(io->fd, &first, 1);
}
