/* os/spawn.c — Start a program as a child process, as a vfork would.
 *
 * fork copies our page tables: 13.6 µs for each MB we have. clone(2) with
 * CLONE_VM and CLONE_VFORK copies nothing: the child runs in our memory, on a
 * stack of its own, while this thread stands still until it executes the
 * program or ends. What it does there is spawn_child.c; here everything is
 * made ready for it, and its failure, left in our memory, is turned into a
 * code.
 *
 * Invariant: on every return our signal mask, descriptors and children are as
 * before, but for the child and pidfd handed out on success.
 *
 * Hidden here: where clone makes a copy of our memory after all, as under
 * valgrind, the failure comes through a pipe that execve closes. Pipes are
 * made only until one child has shown that memory is shared. Likewise pidfds
 * and clone3 are asked for until the kernel refuses them. */
#include "os/spawn.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clone.h"
#include "os/fd.h"
#include "os/spawn_child.h"

#define STACK_SIZE ((size_t)64 * 1024)

struct lv_spawner {
  char *stack; /* the guard page, then STACK_SIZE bytes */
  size_t guard;
  unsigned lacks; /* LV_LACKS_* */
  bool shares;    /* a child has been seen to write to our memory */
  int *numbers;   /* scratch: sources, then targets, of one spawn */
  size_t numbers_len;
};

/* An overflow of the child's stack must hit nothing of ours. */
static int map_stack(lv_spawner *sp) {
  sp->guard = (size_t)sysconf(_SC_PAGESIZE);
  void *p = mmap(NULL, sp->guard + STACK_SIZE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (p == MAP_FAILED) return -errno;
  sp->stack = p;
  return mprotect(p, sp->guard, PROT_NONE) == -1 ? -errno : 0;
}

int lv_spawner_new(lv_spawner **out, bool use_pidfd) {
  lv_spawner *sp = calloc(1, sizeof *sp);
  if (sp == NULL) return -ENOMEM;
  if (!use_pidfd) sp->lacks = LV_LACKS_PIDFD;
  int rc = map_stack(sp);
  if (rc < 0) goto fail;
  *out = sp;
  return 0;
fail:
  lv_spawner_free(sp);
  return rc;
}

void lv_spawner_free(lv_spawner *sp) {
  if (sp == NULL) return;
  if (sp->stack != NULL) munmap(sp->stack, sp->guard + STACK_SIZE);
  free(sp->numbers);
  free(sp);
}

void lv_spawner_pretend(lv_spawner *sp, unsigned lacks) {
  sp->lacks = lacks;
  sp->shares = false;
}

static int by_number(const void *a, const void *b) {
  int x = *(const int *)a, y = *(const int *)b;
  return (x > y) - (x < y);
}

/* Gives the job its sources and its sorted targets, in memory that is kept for
 * the next one. */
static int list_fds(lv_spawner *sp, lv_spawn_job *job) {
  const lv_spawn_opts *opts = job->opts;
  size_t n = opts->nfds;
  if (2 * n > sp->numbers_len) {
    int *more = realloc(sp->numbers, 2 * n * sizeof *more);
    if (more == NULL) return -ENOMEM;
    sp->numbers = more;
    sp->numbers_len = 2 * n;
  }
  job->sources = sp->numbers;
  int *targets = n == 0 ? NULL : sp->numbers + n;
  for (size_t i = 0; i < n; i++) {
    job->sources[i] = opts->fds[i].source;
    targets[i] = opts->fds[i].target;
  }
  if (n > 1) qsort(targets, n, sizeof *targets, by_number);
  job->targets = targets;
  return 0;
}

/* Looked at before we open anything ourselves: a pipe of ours could take the
 * number of a source that is not open, and pass for it. */
static int check_sources(lv_spawn_job *job) {
  for (size_t i = 0; i < job->opts->nfds; i++) {
    if (lv_fd_is_open(job->opts->fds[i].source)) continue;
    job->report.op = "fds";
    return -EBADF;
  }
  return 0;
}

static int prepare(lv_spawner *sp, lv_spawn_job *job) {
  const lv_spawn_opts *opts = job->opts;
  job->envp = opts->envp == NULL ? environ : opts->envp;
  job->parent = getpid();
  job->no_close_range = (sp->lacks & LV_LACKS_CLOSE_RANGE) != 0;
  if (opts->oom_score_adj != NULL)
    snprintf(job->oom_score_adj, sizeof job->oom_score_adj, "%d",
             *opts->oom_score_adj);
  int rc = check_sources(job);
  return rc < 0 ? rc : list_fds(sp, job);
}

/* Does this say that the kernel, or a seccomp filter, does not know the call
 * or the flag? Neither clone nor clone3 has these for other reasons here. */
static bool is_refusal(pid_t rc) {
  return rc == -ENOSYS || rc == -EINVAL || rc == -E2BIG || rc == -EPERM;
}

static pid_t clone_plain(lv_spawner *sp, lv_clone_opts *how) {
  pid_t rc = lv_clone(how);
  if (how->pidfd == NULL || !is_refusal(rc)) return rc;
  sp->lacks |= LV_LACKS_PIDFD;
  how->pidfd = NULL;
  return lv_clone(how);
}

/* Failures that only a cgroup can cause are told apart from clone's own. */
static const char *op_of_clone3(pid_t rc) {
  return rc == -EAGAIN || rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE
             ? "clone"
             : "cgroup";
}

static pid_t make_child(lv_spawner *sp, lv_spawn_job *job, int *pidfd) {
  lv_clone_opts how = {
      .fn = lv_spawn_child,
      .arg = job,
      .stack = sp->stack + sp->guard,
      .stack_size = STACK_SIZE,
      .share = (sp->lacks & LV_LACKS_SHARED_MEMORY) == 0,
      .cgroup = job->opts->cgroup,
  };
  if ((sp->lacks & LV_LACKS_PIDFD) == 0) how.pidfd = pidfd;
  if (how.cgroup >= 0 && (sp->lacks & LV_LACKS_INTO_CGROUP) == 0) {
    pid_t rc = lv_clone_into_cgroup(&how);
    if (rc < 0) job->report.op = op_of_clone3(rc);
    if (!is_refusal(rc)) return rc;
    job->report.op = NULL;
    sp->lacks |= LV_LACKS_INTO_CGROUP;
  }
  job->enter_cgroup = how.cgroup >= 0;
  return clone_plain(sp, &how);
}

/* A handler of ours must not run in the child, where it would believe to be
 * us: all 64 signals, as glibc's own function would spare two. */
static pid_t make_child_undisturbed(lv_spawner *sp, lv_spawn_job *job,
                                    int *pidfd) {
  const uint64_t all = UINT64_MAX;
  uint64_t before;
  long size = sizeof all;
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, size);
  pid_t pid = make_child(sp, job, pidfd);
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, size);
  return pid;
}

/* Changing its ids, the child makes the memory that it shares with us not
 * dumpable (commit_creds in the kernel), which protects it from its new user's
 * ptrace. Once it has left, we take back what we were: without this we would
 * never again leave a core dump. */
static pid_t make_child_keeping_dumpable(lv_spawner *sp, lv_spawn_job *job,
                                         int *pidfd) {
  if (job->opts->uid == NULL && job->opts->gid == NULL)
    return make_child_undisturbed(sp, job, pidfd);
  bool dumpable = prctl(PR_GET_DUMPABLE) == 1;
  pid_t pid = make_child_undisturbed(sp, job, pidfd);
  if (dumpable) prctl(PR_SET_DUMPABLE, 1L);
  return pid;
}

/* Waits until the child executes its program, which closes the pipe, or says
 * why it does not. */
static void read_report(lv_spawn_job *job, int fd) {
  lv_spawn_report report;
  ssize_t n = lv_fd_read(fd, &report, sizeof report);
  if (n == (ssize_t)sizeof report) job->report = report;
}

/* A child that failed is gone for us when it lets go of our memory, which is
 * before it can be reaped: so this waits, by its number, which is still its
 * own. */
static void discard(pid_t pid, int *pidfd) {
  while (waitpid(pid, NULL, 0) == -1 && errno == EINTR) {
  }
  lv_fd_close(pidfd);
}

static void note_kernel(lv_spawner *sp, const lv_spawn_job *job, int pidfd) {
  if (job->seen) sp->shares = true;
  if (pidfd < 0) sp->lacks |= LV_LACKS_PIDFD; /* before 5.2 the flag is idle */
}

/* Runs the job with the report pipe `ends`, which is {-1, -1} where memory is
 * known to be shared. */
static int run(lv_spawner *sp, lv_spawn_job *job, int ends[2],
               lv_spawned *out) {
  job->report_fd = ends[1];
  int pidfd = -1;
  pid_t pid = make_child_keeping_dumpable(sp, job, &pidfd);
  if (pid < 0) return pid;
  note_kernel(sp, job, pidfd);
  lv_fd_close(&ends[1]);
  if (!job->seen) read_report(job, ends[0]);
  if (job->report.op != NULL) {
    discard(pid, &pidfd);
    return -job->report.error;
  }
  out->pid = pid;
  out->pidfd = pidfd;
  return 0;
}

int lv_spawn(lv_spawner *sp, const lv_spawn_opts *opts, lv_spawned *out) {
  *out = (lv_spawned){.pid = -1, .pidfd = -1};
  lv_spawn_job job = {.opts = opts};
  int ends[2] = {-1, -1};
  int rc = prepare(sp, &job);
  if (rc == 0 && !sp->shares) rc = lv_fd_pipe(ends);
  if (rc == 0) rc = run(sp, &job, ends, out);
  lv_fd_close(&ends[0]);
  lv_fd_close(&ends[1]);
  if (rc < 0) out->op = job.report.op == NULL ? "clone" : job.report.op;
  return rc;
}
