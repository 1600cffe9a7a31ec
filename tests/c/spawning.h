/* tests/c/spawning.h — Start a program and keep what it said, for the tests of
 * os/spawn. What is seen of a child is seen from inside: by its own output, or
 * in its own files of /proc. */
#ifndef LV_TESTS_SPAWNING_H
#define LV_TESTS_SPAWNING_H

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/pidfd.h"
#include "os/spawn.h"
#include "tap.h"

enum { NOBODY = 65534, MAX_FDS = 16 };

static lv_spawner *spawner;
static lv_spawned spawned; /* by the last start */
static lv_exit ended;      /* how the last one ended */
static char output[65536]; /* of the last one, less a final newline */

static const struct {
  const char *name;
  unsigned lacks;
} kernels[] = {
    {"this one", 0},
    {"memory is copied", LV_LACKS_SHARED_MEMORY},
    {"no pidfds", LV_LACKS_PIDFD},
    {"no close_range", LV_LACKS_CLOSE_RANGE},
    {"no clone3", LV_LACKS_CLONE3},
    {"many descriptors", LV_LACKS_ROOM},
    {"many descriptors, no unshare", LV_LACKS_ROOM | LV_LACKS_UNSHARE},
    {"none of these", LV_LACKS_PIDFD | LV_LACKS_SHARED_MEMORY |
                          LV_LACKS_INTO_CGROUP | LV_LACKS_CLOSE_RANGE |
                          LV_LACKS_CLONE3},
};
enum { KERNELS = sizeof kernels / sizeof *kernels };

/* Spawns argv; files default to argv[0] alone. */
static inline int start(lv_spawn_opts *opts, char *const argv[]) {
  char *files[] = {argv[0], NULL};
  lv_spawn_opts o = *opts;
  if (o.files == NULL) o.files = files;
  o.argv = argv;
  return lv_spawn(spawner, &o, &spawned);
}

static inline void reap(lv_spawned *child) {
  siginfo_t info;
  while (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT) == -1 &&
         errno == EINTR) {
  }
  if (lv_child_reap(child->pid, child->pidfd, &ended) != 1)
    ok(false, "the child can be reaped");
  lv_fd_close(&child->pidfd);
}

static inline void read_output(int fd) {
  size_t len = 0;
  ssize_t n;
  while ((n = lv_fd_read(fd, output + len, sizeof output - 1 - len)) > 0)
    len += (size_t)n;
  while (len > 0 && output[len - 1] == '\n')
    len--;
  output[len] = '\0';
}

/* Spawns argv with a pipe as its standard output beside opts' fds, reads that
 * to its end and reaps. Returns what lv_spawn does. */
static inline int run_program(lv_spawn_opts *opts, char *const argv[]) {
  int ends[2];
  lv_fd_map fds[MAX_FDS + 1];
  lv_spawn_opts o = *opts;
  output[0] = '\0';
  ended = (lv_exit){.code = -1};
  assert(o.nfds <= MAX_FDS);
  if (lv_fd_pipe(ends) < 0) return -EMFILE;
  for (size_t i = 0; i < o.nfds; i++)
    fds[i] = o.fds[i];
  fds[o.nfds++] = (lv_fd_map){.target = 1, .source = ends[1]};
  o.fds = fds;
  int rc = start(&o, argv);
  lv_fd_close(&ends[1]);
  if (rc == 0) {
    read_output(ends[0]);
    reap(&spawned);
  }
  lv_fd_close(&ends[0]);
  return rc;
}

static inline int sh(lv_spawn_opts *opts, const char *script) {
  char copy[4096];
  snprintf(copy, sizeof copy, "%s", script);
  char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, copy, NULL};
  return run_program(opts, argv);
}

/* The program shows a file of its own /proc directory, as /proc/self/stat. */
static inline int show(lv_spawn_opts *opts, const char *path) {
  char copy[256];
  snprintf(copy, sizeof copy, "%s", path);
  char *argv[] = {(char[]){"/bin/cat"}, copy, NULL};
  return run_program(opts, argv);
}

/* After show of /proc/self/status: the value that follows "name:\t". */
static inline const char *status_of(const char *name) {
  static char value[1024];
  char key[64];
  snprintf(key, sizeof key, "\n%s:\t", name);
  const char *at = strstr(output, key);
  if (at == NULL) return NULL;
  snprintf(value, sizeof value, "%s", at + strlen(key));
  value[strcspn(value, "\n")] = '\0';
  return value;
}

/* After show of /proc/self/stat: the field with this number in proc(5), from 4
 * on. */
static inline long stat_field(int number) {
  char *at = strrchr(output, ')');
  if (at == NULL) return -1;
  at += strlen(") S ");
  for (; number > 4; number--)
    strtol(at, &at, 10);
  return strtol(at, &at, 10);
}

/* Runs fn in a process of its own and returns whether it returned true. What
 * it prints is lost: it has no points. */
static inline bool apart(bool (*fn)(void)) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    if (freopen("/dev/null", "w", stdout) == NULL) _exit(1);
    alarm(50); /* an orphan must not wait for ever */
    _exit(fn() ? 0 : 1);
  }
  return waitpid(pid, &status, 0) == pid && status == 0;
}

/* Does this run under valgrind, where every clone is a fork, and slow? */
static inline bool on_valgrind(void) {
  const char *preload = getenv("LD_PRELOAD");
  return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

#endif
