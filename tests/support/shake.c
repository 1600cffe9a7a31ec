/* tests/support/shake.c — Preloaded, it lets luvisor's calls into the kernel take
 * their time, now and then and up to a tenth of a second, as on a busy machine
 * with a slow disk: so what a test took for granted shows. tools/shake runs the
 * tests with it. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Microseconds that a process may still sleep: its tests must come to an end.
 * SHAKE_SECONDS gives it more. */
static atomic_llong budget;

__attribute__((constructor)) static void begin(void) {
  const char *name = program_invocation_short_name;
  bool ours = strcmp(name, "luvisor") == 0 || strncmp(name, "test_", 5) == 0;
  const char *seconds = getenv("SHAKE_SECONDS");
  if (ours) budget = seconds ? atoll(seconds) * 1000000 : 1500000;
}

static unsigned *seed(void) {
  static _Thread_local unsigned value;
  struct timespec now;
  if (value == 0) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    value = (unsigned)now.tv_nsec ^ ((unsigned)syscall(SYS_gettid) << 16);
    value |= 1;
  }
  return &value;
}

/* Mostly nothing, often little, rarely much. */
static int draw(void) {
  unsigned one = (unsigned)rand_r(seed()) % 1024;
  if (one < 6) return rand_r(seed()) % 100000;
  if (one < 24) return rand_r(seed()) % 5000;
  return one < 120 ? rand_r(seed()) % 300 : 0;
}

static void nap(void) {
  int before = errno, us = budget > 0 ? draw() : 0;
  if (us > 0 && atomic_fetch_sub(&budget, us) > 0) {
    struct timespec t = {0, us * 1000L};
    nanosleep(&t, NULL);
  }
  errno = before;
}

#define SHAKEN(type, name, params, args)                              \
  type name params {                                                  \
    static type(*real) params;                                        \
    if (real == NULL) real = (type(*) params)dlsym(RTLD_NEXT, #name); \
    nap();                                                            \
    type result = real args;                                          \
    nap();                                                            \
    return result;                                                    \
  }

SHAKEN(ssize_t, read, (int fd, void *to, size_t n), (fd, to, n))
SHAKEN(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n))
SHAKEN(ssize_t, readv, (int fd, const struct iovec *to, int n), (fd, to, n))
SHAKEN(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
SHAKEN(int, close, (int fd), (fd))
SHAKEN(int, fsync, (int fd), (fd))
SHAKEN(int, unlink, (const char *path), (path))
SHAKEN(int, rename, (const char *from, const char *to), (from, to))
SHAKEN(int, mkdir, (const char *path, mode_t mode), (path, mode))
SHAKEN(int, rmdir, (const char *path), (path))
SHAKEN(int, kill, (pid_t pid, int sig), (pid, sig))
SHAKEN(int, waitid, (idtype_t what, id_t id, siginfo_t *info, int how),
       (what, id, info, how))
SHAKEN(int, epoll_wait, (int fd, struct epoll_event *to, int n, int ms),
       (fd, to, n, ms))
SHAKEN(int, epoll_pwait,
       (int fd, struct epoll_event *to, int n, int ms, const sigset_t *mask),
       (fd, to, n, ms, mask))
SHAKEN(ssize_t, splice,
       (int in, off_t *in_at, int out, off_t *out_at, size_t n, unsigned how),
       (in, in_at, out, out_at, n, how))
SHAKEN(ssize_t, sendmsg, (int fd, const struct msghdr *m, int how),
       (fd, m, how))
SHAKEN(ssize_t, recvmsg, (int fd, struct msghdr *m, int how), (fd, m, how))
SHAKEN(int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int how),
       (fd, a, n, how))
