/* common.h — What the programs of this folder share: the clock, children,
 * pipes and the one line of JSON that each of them prints.
 *
 * Each program does the work of one benchmark with the system calls that it
 * takes and nothing between them, to show what no runtime can beat. There is
 * no recovery here: whatever fails ends the program with its reason.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIPE_MAX (1 << 20) /* what an unprivileged user may widen a pipe to */
#define INHERIT  (-1)      /* in child.fds: the child has what we have */

/* What to start. argv[0] is a path; nothing is looked up in PATH. */
typedef struct {
  const char *const *argv;
  int fds[3]; /* become 0, 1, 2 */
} child;

static inline _Noreturn void die(const char *what) {
  perror(what);
  exit(1);
}

/* For wrong results, of which errno knows nothing. */
static inline _Noreturn void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

/* For calls that return -1 and errno: the result, or the end. */
static inline int check(int result, const char *what) {
  if (result < 0) die(what);
  return result;
}

static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The size on the command line, or the usual one. */
static inline long size_arg(int argc, char **argv, long usual) {
  long n = argc > 1 ? strtol(argv[1], NULL, 10) : usual;
  if (n > 0) return n;
  fprintf(stderr, "usage: %s [SIZE]\n", argv[0]);
  exit(2);
}

/* `more` is "" or further members, each with a comma before it. */
static inline void report(const char *bench, long n, double seconds,
                          const char *more) {
  printf("{\"bench\": \"%s\", \"impl\": \"limit\", \"n\": %ld, "
         "\"seconds\": %.6f, \"us_per_op\": %.3f%s}\n",
         bench, n, seconds, seconds / (double)n * 1e6, more);
}

/* A member for report, valid until the next call. */
static inline const char *mib_per_s(long mib, double seconds) {
  static char more[48];
  snprintf(more, sizeof more, ", \"mib_per_s\": %.1f", (double)mib / seconds);
  return more;
}

static inline void make_pipe(int fds[2]) {
  check(pipe2(fds, O_CLOEXEC), "pipe2");
}

/* A folder of our own, below $TMPDIR, which bench/run removes in any case. */
static inline const char *make_dir(void) {
  static char dir[256];
  const char *parent = getenv("TMPDIR");
  int n = snprintf(dir, sizeof dir, "%s/bench-XXXXXX",
                   parent != NULL ? parent : "/tmp");
  if (n >= (int)sizeof dir) fail("TMPDIR is too long");
  if (mkdtemp(dir) == NULL) die("mkdtemp");
  return dir;
}

static inline void set_nonblock(int fd) {
  check(fcntl(fd, F_SETFL, O_NONBLOCK), "F_SETFL");
}

/* As wide as it may be; narrower will do where that is refused. */
static inline void widen(int fd) {
  (void)fcntl(fd, F_SETPIPE_SZ, PIPE_MAX);
}

static inline int open_null(void) {
  return check(open("/dev/null", O_RDONLY | O_CLOEXEC), "/dev/null");
}

/* Runs in the child, in our memory. Ours are CLOEXEC, the copies are not. */
static inline int become(void *arg) {
  const child *c = arg;
  for (int fd = 0; fd < 3; fd++)
    if (c->fds[fd] != INHERIT) dup2(c->fds[fd], fd);
  execve(c->argv[0], (char *const *)c->argv, environ);
  _exit(127);
}

/* As vfork does: memory is shared, and we go on when the child has exec'd. */
static inline pid_t start(child c) {
  static _Alignas(16) char stack[16384];
  int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
  return check(clone(become, stack + sizeof stack, flags, &c), "clone");
}

/* Start a child whose stdout we read at *out, a widened pipe. */
static inline pid_t start_reading(const char *const *argv, int in, int *out) {
  int ends[2];
  make_pipe(ends);
  widen(ends[0]);
  pid_t pid = start((child){argv, {in, ends[1], INHERIT}});
  close(ends[1]);
  *out = ends[0];
  return pid;
}

/* Wait for the end of pid, which must be a success. */
static inline void reap(pid_t pid) {
  int status;
  check(waitpid(pid, &status, 0), "waitpid");
  if (status == 0) return;
  fprintf(stderr, "child %d failed: wait status %d\n", (int)pid, status);
  exit(1);
}

#endif
