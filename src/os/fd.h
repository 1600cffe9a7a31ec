/* os/fd.h — Descriptors: made CLOEXEC, read and written without surprises. */
#ifndef LV_OS_FD_H
#define LV_OS_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

int lv_fd_pipe(int ends[2]);           /* [0] reads, [1] writes; 0 or -errno */
int lv_fd_dup(int fd);                 /* a CLOEXEC copy above 2, or -errno */
int lv_fd_copy_to(int fd, int number); /* dup3(2), CLOEXEC; 0 or -errno */

/* Open without ever waiting for a peer; the result blocks as usual, unless
 * flags say O_NONBLOCK. flags and mode are open(2)'s. A descriptor or -errno.
 */
int lv_fd_open(const char *path, int flags, mode_t mode);

/* As openat(2), CLOEXEC, and EINTR is tried again; a descriptor or -errno. */
int lv_fd_open_at(int dir, const char *path, int flags, mode_t mode);

/* A new description of the same pipe, terminal or file, which alone is made
 * non-blocking; or -errno (sockets, masters of pseudo-terminals, and what we
 * may not open). */
int lv_fd_reopen(int fd, int flags);

void lv_fd_close(int *fd); /* and set to -1; -1 is fine */
int lv_fd_set_nonblocking(int fd, bool on);
bool lv_fd_is_open(int fd);

/* Where 0, 1 or 2 is closed, put something there that can be used for nothing:
 * or the next file that we open would be our standard output. */
void lv_fd_fill_standard(void);

/* Is it open, and no such stand-in? */
bool lv_fd_is_inherited(int fd);

typedef enum {
  LV_FD_PIPE,
  LV_FD_TTY,
  LV_FD_SOCKET,
  LV_FD_FILE,
  LV_FD_OTHER
} lv_fd_kind; /* FILE: a regular file or block device, OTHER as /dev/null */
int lv_fd_kind_of(int fd); /* or -errno */

/* As read(2), readv(2), writev(2), but -errno, and EINTR is tried again. A
 * broken pipe is -EPIPE and no signal (SIGPIPE is ignored by the runtime). */
ssize_t lv_fd_read(int fd, void *buf, size_t n);
ssize_t lv_fd_readv(int fd, const struct iovec *iov, int n);
ssize_t lv_fd_writev(int fd, const struct iovec *iov, int n);
ssize_t lv_fd_splice(int from, int to, size_t n); /* never waits on a pipe */

int lv_fd_pipe_size(int fd);               /* bytes, or -errno */
int lv_fd_set_pipe_size(int fd, size_t n); /* the size it has now, or -errno */
int lv_fd_unread(int fd);                  /* bytes waiting (FIONREAD) */
bool lv_fd_pipe_is_at_end(int fd);         /* empty, and nobody can write */
bool lv_fd_pipe_is_full(int fd);           /* either end; no: not a pipe */
bool lv_fd_has_lost_reader(int fd);        /* a pipe's writing end; a socket */

#endif
