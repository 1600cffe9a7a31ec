/* tests/fault/wrap.c — In place of each call that can fail: ask, then do it.
 *
 * --wrap=x makes x in our objects mean __wrap_x, and __real_x mean x. */
#include "fault.h"

#include "base/compiler.h"
#include "os/clone.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define WRAP(type, name, params) \
  type __real_##name params;     \
  type __wrap_##name params;     \
  LV_NO_SANITIZE type __wrap_##name params

/* A call that fails returns `failed`. */
#define PLAIN(type, name, params, args, failed)              \
  WRAP(type, name, params) {                                 \
    if (lv_fault_due(LV_CALL_##name, LV_ANY)) return failed; \
    return __real_##name args;                               \
  }

#define OR_MINUS_1(name, params, args)    PLAIN(int, name, params, args, -1)
#define OR_NULL(type, name, params, args) PLAIN(type, name, params, args, NULL)
/* These return the errno itself, or its negative. */
#define OR_ERRNO(name, params, args)                  \
  WRAP(int, name, params) {                           \
    int error = lv_fault_due(LV_CALL_##name, LV_ANY); \
    return error ? error : __real_##name args;        \
  }
#define OR_MINUS_ERRNO(name, params, args)            \
  WRAP(int, name, params) {                           \
    int error = lv_fault_due(LV_CALL_##name, LV_ANY); \
    return error ? -error : __real_##name args;       \
  }

OR_NULL(void *, calloc, (size_t n, size_t size), (n, size))
OR_NULL(void *, malloc, (size_t size), (size))
OR_NULL(DIR *, opendir, (const char *path), (path))
OR_NULL(char *, getcwd, (char *buf, size_t n), (buf, n))
OR_MINUS_1(dup3, (int from, int to, int flags), (from, to, flags))
OR_MINUS_1(epoll_create1, (int flags), (flags))
OR_MINUS_1(epoll_ctl, (int set, int op, int fd, struct epoll_event *event),
           (set, op, fd, event))
OR_MINUS_1(eventfd, (unsigned n, int flags), (n, flags))
OR_MINUS_1(fstat, (int fd, struct stat *st), (fd, st))
OR_MINUS_1(getrlimit, (int what, struct rlimit *limit), (what, limit))
OR_MINUS_1(grantpt, (int fd), (fd))
OR_MINUS_1(kill, (pid_t pid, int signum), (pid, signum))
OR_MINUS_1(mprotect, (void *at, size_t n, int how), (at, n, how))
OR_MINUS_1(pipe2, (int ends[2], int flags), (ends, flags))
OR_MINUS_1(poll, (struct pollfd * fds, nfds_t n, int timeout),
           (fds, n, timeout))
OR_MINUS_1(posix_openpt, (int flags), (flags))
OR_MINUS_1(setrlimit, (int what, const struct rlimit *limit), (what, limit))
OR_MINUS_1(sigaction,
           (int signum, const struct sigaction *sa, struct sigaction *old),
           (signum, sa, old))
OR_MINUS_1(tcgetattr, (int fd, struct termios *mode), (fd, mode))
OR_MINUS_1(tcsetattr, (int fd, int when, const struct termios *mode),
           (fd, when, mode))
OR_MINUS_1(timer_create,
           (clockid_t clock, struct sigevent *event, timer_t *out),
           (clock, event, out))
OR_MINUS_1(unlockpt, (int fd), (fd))
OR_MINUS_1(waitpid, (pid_t pid, int *status, int options),
           (pid, status, options))
OR_ERRNO(ptsname_r, (int fd, char *name, size_t n), (fd, name, n))
OR_MINUS_ERRNO(lv_clone3, (const lv_clone_opts *opts), (opts))
OR_MINUS_ERRNO(uv_loop_init, (uv_loop_t * loop), (loop))
OR_MINUS_ERRNO(uv_poll_init, (uv_loop_t * loop, uv_poll_t *poll, int fd),
               (loop, poll, fd))
OR_MINUS_1(accept4, (int fd, struct sockaddr *at, socklen_t *n, int flags),
           (fd, at, n, flags))
OR_MINUS_1(bind, (int fd, const struct sockaddr *at, socklen_t n), (fd, at, n))
OR_MINUS_1(getsockname, (int fd, struct sockaddr *at, socklen_t *n),
           (fd, at, n))
OR_MINUS_1(getsockopt,
           (int fd, int level, int option, void *value, socklen_t *n),
           (fd, level, option, value, n))
OR_MINUS_1(setsockopt,
           (int fd, int level, int option, const void *value, socklen_t n),
           (fd, level, option, value, n))
OR_MINUS_1(listen, (int fd, int backlog), (fd, backlog))
OR_MINUS_1(shutdown, (int fd, int how), (fd, how))
OR_MINUS_1(socket, (int family, int type, int protocol),
           (family, type, protocol))
OR_MINUS_1(chmod, (const char *path, mode_t mode), (path, mode))
OR_MINUS_1(fchmod, (int fd, mode_t mode), (fd, mode))
OR_MINUS_1(fstatat, (int dir, const char *path, struct stat *st, int flags),
           (dir, path, st, flags))
OR_MINUS_1(fsync, (int fd), (fd))
OR_MINUS_1(ftruncate, (int fd, off_t n), (fd, n))
OR_MINUS_1(inotify_add_watch, (int fd, const char *path, uint32_t events),
           (fd, path, events))
OR_MINUS_1(inotify_init1, (int flags), (flags))
OR_MINUS_1(lstat, (const char *path, struct stat *st), (path, st))
OR_MINUS_1(mkdir, (const char *path, mode_t mode), (path, mode))
OR_MINUS_1(rename, (const char *from, const char *to), (from, to))
OR_MINUS_1(renameat, (int from, const char *old, int to, const char *new),
           (from, old, to, new))
OR_MINUS_1(stat, (const char *path, struct stat *st), (path, st))
OR_MINUS_1(symlink, (const char *target, const char *path), (target, path))
OR_MINUS_1(unlink, (const char *path), (path))
OR_MINUS_1(unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
OR_NULL(DIR *, fdopendir, (int fd), (fd))
OR_NULL(char *, mkdtemp, (char *path), (path))
OR_NULL(char *, realpath, (const char *path, char *found), (path, found))
PLAIN(ssize_t, readlink, (const char *path, char *target, size_t n),
      (path, target, n), -1)
OR_MINUS_ERRNO(uv_getaddrinfo,
               (uv_loop_t * loop, uv_getaddrinfo_t *req, uv_getaddrinfo_cb fn,
                const char *host, const char *service,
                const struct addrinfo *hints),
               (loop, req, fn, host, service, hints))
PLAIN(void *, mmap,
      (void *at, size_t n, int how, int flags, int fd, off_t offset),
      (at, n, how, flags, fd, offset), MAP_FAILED)
PLAIN(int, fflush, (FILE * f), (f), EOF)
PLAIN(size_t, fwrite, (const void *bytes, size_t size, size_t n, FILE *f),
      (bytes, size, n, f), 0)

/* Lua's allocator asks for itself: see memory.c. */
WRAP(void *, realloc, (void *block, size_t size)) {
  if (!lv_fault_in_lua && lv_fault_due(LV_CALL_realloc, LV_ANY)) return NULL;
  return __real_realloc(block, size);
}

/* It fails, and the descriptor is closed nevertheless (close(2)). */
WRAP(int, close, (int fd)) {
  int error = lv_fault_due(LV_CALL_close, LV_ANY);
  int rc = __real_close(fd);
  if (error == 0) return rc;
  errno = error;
  return -1;
}

/* What a signal came into goes on by itself (connect(2)). */
WRAP(int, connect, (int fd, const struct sockaddr *to, socklen_t n)) {
  int error = lv_fault_due(LV_CALL_connect, LV_ANY);
  if (error != 0 && error != EINTR) return -1;
  int rc = __real_connect(fd, to, n);
  if (error == 0) return rc;
  errno = error;
  return -1;
}

/* The pidfd is the fifth argument; ours has no sixth. */
WRAP(int, clone, (int (*fn)(void *), void *stack, int flags, void *arg, ...)) {
  va_list args;
  va_start(args, arg);
  void *pidfd = va_arg(args, void *);
  va_end(args);
  if (lv_fault_due(LV_CALL_clone, LV_ANY)) return -1;
  return __real_clone(fn, stack, flags, arg, pidfd);
}

/* ---- those with an optional argument, read as libc itself reads it ---- */

#define LAST_ARGUMENT(type, name, after) \
  va_list args;                          \
  va_start(args, after);                 \
  type name = va_arg(args, type);        \
  va_end(args)

WRAP(int, open, (const char *path, int flags, ...)) {
  LAST_ARGUMENT(unsigned, mode, flags);
  if (lv_fault_due(LV_CALL_open, LV_ANY)) return -1;
  return __real_open(path, flags, mode);
}

WRAP(int, openat, (int dir, const char *path, int flags, ...)) {
  LAST_ARGUMENT(unsigned, mode, flags);
  if (lv_fault_due(LV_CALL_openat, LV_ANY)) return -1;
  return __real_openat(dir, path, flags, mode);
}

WRAP(int, fcntl, (int fd, int request, ...)) {
  LAST_ARGUMENT(long, value, request);
  if (lv_fault_due(LV_CALL_fcntl, request)) return -1;
  return __real_fcntl(fd, request, value);
}

WRAP(int, ioctl, (int fd, unsigned long request, ...)) {
  LAST_ARGUMENT(void *, value, request);
  if (lv_fault_due(LV_CALL_ioctl, (long)request)) return -1;
  return __real_ioctl(fd, request, value);
}

WRAP(long, syscall, (long number, ...)) {
  va_list args;
  long a[6];
  va_start(args, number);
  for (int i = 0; i < 6; i++)
    a[i] = va_arg(args, long);
  va_end(args);
  if (lv_fault_due(LV_CALL_syscall, number)) return -1;
  return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- those that may transfer less than was asked for ---- */

WRAP(ssize_t, read, (int fd, void *buf, size_t n)) {
  int error = lv_fault_due(LV_CALL_read, LV_ANY);
  if (error > 0) return -1;
  return __real_read(fd, buf, error == LV_FAULT_SHORT && n > 0 ? 1 : n);
}

WRAP(ssize_t, splice,
     (int in, off64_t *at, int out, off64_t *to, size_t n, unsigned flags)) {
  int error = lv_fault_due(LV_CALL_splice, LV_ANY);
  if (error > 0) return -1;
  return __real_splice(in, at, out, to, error < 0 ? 1 : n, flags);
}

/* The first byte of the first piece that has any. */
static struct iovec one_byte(const struct iovec *iov, size_t n) {
  size_t i = 0;
  while (i + 1 < n && iov[i].iov_len == 0)
    i++;
  return (struct iovec){iov[i].iov_base, iov[i].iov_len > 0 ? 1 : 0};
}

WRAP(ssize_t, readv, (int fd, const struct iovec *iov, int n)) {
  int error = lv_fault_due(LV_CALL_readv, LV_ANY);
  if (error == 0) return __real_readv(fd, iov, n);
  struct iovec first = one_byte(iov, (size_t)n);
  return error > 0 ? -1 : __real_readv(fd, &first, 1);
}

WRAP(ssize_t, writev, (int fd, const struct iovec *iov, int n)) {
  int error = lv_fault_due(LV_CALL_writev, LV_ANY);
  if (error == 0) return __real_writev(fd, iov, n);
  struct iovec first = one_byte(iov, (size_t)n);
  return error > 0 ? -1 : __real_writev(fd, &first, 1);
}

WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags)) {
  int error = lv_fault_due(LV_CALL_recvmsg, LV_ANY);
  if (error > 0) return -1;
  struct msghdr whole = *message;
  struct iovec first = one_byte(whole.msg_iov, whole.msg_iovlen);
  if (error == LV_FAULT_SHORT) whole.msg_iov = &first;
  if (error == LV_FAULT_SHORT) whole.msg_iovlen = 1;
  ssize_t got = __real_recvmsg(fd, &whole, flags);
  message->msg_flags = whole.msg_flags;
  return got;
}

WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags)) {
  int error = lv_fault_due(LV_CALL_sendmsg, LV_ANY);
  if (error > 0) return -1;
  struct msghdr whole = *message;
  struct iovec first = one_byte(whole.msg_iov, whole.msg_iovlen);
  if (error == LV_FAULT_SHORT) whole.msg_iov = &first;
  if (error == LV_FAULT_SHORT) whole.msg_iovlen = 1;
  return __real_sendmsg(fd, &whole, flags);
}

/* ---- what libuv's threads do: it fails when they are done ---- */

static struct {
  uv_fs_cb fn;
  int error;
} delayed;

/* The thread was given no descriptor, so that it has done nothing. */
static void on_done(uv_fs_t *req) {
  req->result = -delayed.error;
  delayed.fn(req);
}

static int file_of(int error, int fd, uv_fs_cb *fn) {
  if (error <= 0) return fd;
  delayed.error = error;
  delayed.fn = *fn;
  *fn = on_done;
  return -1;
}

#define FS_PARAMS                                                      \
  (uv_loop_t * loop, uv_fs_t * req, uv_file fd, const uv_buf_t bufs[], \
   unsigned n, int64_t offset, uv_fs_cb fn)

WRAP(int, uv_fs_read, FS_PARAMS) {
  fd = file_of(lv_fault_due(LV_CALL_uv_fs_read, LV_ANY), fd, &fn);
  return __real_uv_fs_read(loop, req, fd, bufs, n, offset, fn);
}

WRAP(int, uv_fs_write, FS_PARAMS) {
  int error = lv_fault_due(LV_CALL_uv_fs_write, LV_ANY);
  uv_buf_t first = uv_buf_init(bufs[0].base, 1);
  if (error == LV_FAULT_SHORT)
    return __real_uv_fs_write(loop, req, fd, &first, 1, offset, fn);
  fd = file_of(error, fd, &fn);
  return __real_uv_fs_write(loop, req, fd, bufs, n, offset, fn);
}

/* ---- the module, which the program itself does not have ---- */

#include "bind/modules.h"

void __real_lv_install_modules(lua_State *L);
void __wrap_lv_install_modules(lua_State *L);

void __wrap_lv_install_modules(lua_State *L) {
  __real_lv_install_modules(L);
  lv_fault_watch_lua(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, lv_open_fault);
  lua_setfield(L, -2, "luvisor.fault");
  lua_pop(L, 1);
}
