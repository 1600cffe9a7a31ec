/* core/io.h — One descriptor and the way it may be read and written. */
#ifndef LV_CORE_IO_H
#define LV_CORE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef enum {
  LV_IO_OWN,    /* a description of our own, non-blocking */
  LV_IO_SOCKET, /* shared with others: MSG_DONTWAIT on each call */
  LV_IO_POLLED, /* shared, and no such flag: poll(2) before each call */
  LV_IO_FILE    /* always ready, maybe slow: libuv's threads do it */
} lv_io_mode;

typedef struct {
  int fd;
  lv_io_mode mode;
} lv_io;

/* An fd that nobody else has: made non-blocking. 0 or -errno. */
int lv_io_own(int fd, lv_io *out);

/* An fd whose description others may share and must not see changed: reopened
 * where that works, else used with care. flags: O_RDONLY, O_WRONLY, O_RDWR. The
 * given fd stays the caller's. 0 or -errno: -EBADF if it is open, but not for
 * that. */
int lv_io_share(int fd, int flags, lv_io *out);

static inline bool lv_io_is_shared(const lv_io *io) {
  return io->mode == LV_IO_SOCKET || io->mode == LV_IO_POLLED;
}

/* As readv(2) and writev(2), never waiting: bytes, 0 at the end, or -errno
 * (-EAGAIN). Not for LV_IO_FILE. */
ssize_t lv_io_readv(const lv_io *io, const struct iovec *iov, int n);
ssize_t lv_io_writev(const lv_io *io, const struct iovec *iov, int n);

#endif
