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
 * and clone3 are asked for until the kernel refuses them.
 *
 * Once we have many descriptors, to copy their table for the child, where they
 * are only closed again, takes longer than all the rest (60 µs for a thousand).
 * So what the child is to get is lent a low number, and the child is born with
 * our table itself: the first thing that it does is to make itself a copy of
 * that table's low end. */
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
#include "os/lowfds.h"
#include "os/spawn_child.h"

#define STACK_SIZE  ((size_t)64 * 1024)
#define BIT(signum) (UINT64_C(1) << ((signum)-1))

struct lv_spawner {
  char *stack; /* the guard page, then STACK_SIZE bytes */
  size_t guard;
  unsigned lacks;   /* LV_LACKS_* */
  bool shares;      /* a child has been seen to write to our memory */
  uint64_t ignored; /* signals that we ignore: bit 0 is signal 1 */
  lv_lowfds low;
  bool crowded; /* we have had a descriptor that was not low */
  bool probed;  /* whether the kernel copies a low end well: see lacks */
  int *numbers; /* scratch: sources, then targets, of one spawn */
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

/* Raw, for glibc answers for two of them that there are no such. Where clone3
 * is of use to us, the handler is what an action begins with. */
static uint64_t find_ignored(void) {
  uint64_t found = 0;
  for (int signum = 1; signum <= 64; signum++) {
    uintptr_t action[8] = {0};
    long rc = syscall(SYS_rt_sigaction, signum, NULL, action, sizeof found);
    if (rc == 0 && action[0] == (uintptr_t)SIG_IGN) found |= BIT(signum);
  }
  return found;
}

int lv_spawner_new(lv_spawner **out, bool use_pidfd) {
  lv_spawner *sp = calloc(1, sizeof *sp);
  if (sp == NULL) return -ENOMEM;
  if (!use_pidfd) sp->lacks = LV_LACKS_PIDFD;
  sp->ignored = find_ignored();
  lv_lowfds_init(&sp->low);
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
  lv_lowfds_fini(&sp->low);
  free(sp->numbers);
  free(sp);
}

void lv_spawner_note_ignored(lv_spawner *sp, int signum) {
  sp->ignored |= BIT(signum);
}

void lv_spawner_pretend(lv_spawner *sp, unsigned lacks) {
  sp->lacks = lacks;
  sp->shares = sp->crowded = sp->probed = false;
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

/* Does this say that the kernel, or a seccomp filter, does not know the call
 * or the flag? Neither clone nor clone3 has these for other reasons here. */
static bool is_refusal(pid_t rc) {
  return rc == -ENOSYS || rc == -EINVAL || rc == -E2BIG || rc == -EPERM;
}

/* Failures that only a cgroup can cause are told apart from clone's own. */
static const char *op_of_clone3(pid_t rc) {
  return rc == -EAGAIN || rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE
             ? "clone"
             : "cgroup";
}

static pid_t clone_into_cgroup(lv_spawner *sp, lv_spawn_job *job,
                               const lv_clone_opts *how) {
  if ((sp->lacks & LV_LACKS_INTO_CGROUP) != 0) return -ENOSYS;
  pid_t rc = lv_clone3(how);
  if (is_refusal(rc))
    sp->lacks |= LV_LACKS_INTO_CGROUP;
  else if (rc < 0)
    job->report.op = op_of_clone3(rc);
  return rc;
}

static uint64_t reset_of(const lv_spawn_job *job, uint64_t all) {
  return job->opts->keep_sigpipe ? all & ~BIT(SIGPIPE) : all;
}

/* All but those that we ignore are default without further calls, of which
 * each costs a fifth of a microsecond. */
static pid_t clone_cleared(lv_spawner *sp, lv_spawn_job *job,
                           lv_clone_opts *how) {
  if ((sp->lacks & LV_LACKS_CLONE3) != 0) return -ENOSYS;
  job->reset = reset_of(job, sp->ignored);
  if (how->cgroup >= 0) {
    pid_t rc = clone_into_cgroup(sp, job, how);
    if (!is_refusal(rc)) return rc;
    job->enter_cgroup = true;
    how->cgroup = -1;
  }
  pid_t rc = lv_clone3(how);
  if (is_refusal(rc)) sp->lacks |= LV_LACKS_CLONE3;
  return rc;
}

static pid_t clone_plain(lv_spawner *sp, lv_spawn_job *job,
                         lv_clone_opts *how) {
  job->reset = reset_of(job, ~(BIT(SIGKILL) | BIT(SIGSTOP)));
  job->enter_cgroup = job->opts->cgroup >= 0;
  pid_t rc = lv_clone(how);
  if (how->pidfd == NULL || !is_refusal(rc)) return rc;
  sp->lacks |= LV_LACKS_PIDFD;
  how->pidfd = NULL;
  return lv_clone(how);
}

static pid_t make_child(lv_spawner *sp, lv_spawn_job *job, int *pidfd) {
  lv_clone_opts how = {
      .fn = lv_spawn_child,
      .arg = job,
      .stack = sp->stack + sp->guard,
      .stack_size = STACK_SIZE,
      .share = (sp->lacks & LV_LACKS_SHARED_MEMORY) == 0,
      .share_fds = job->share_fds,
      .cgroup = job->opts->cgroup,
  };
  if ((sp->lacks & LV_LACKS_PIDFD) == 0) how.pidfd = pidfd;
  pid_t rc = clone_cleared(sp, job, &how);
  return is_refusal(rc) ? clone_plain(sp, job, &how) : rc;
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
  if (pidfd >= LV_LOWFDS_END) sp->crowded = true;
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

/* Linux before 6.11, if it has not been mended since (August 2024), believes
 * of such a copy that the numbers beyond it are taken if they were in ours, and
 * the program could not use them. So one child tries it out. */
static void probe(lv_spawner *sp) {
  const lv_spawn_opts nothing = LV_SPAWN_OPTS_INIT;
  lv_spawn_job job = {.opts = &nothing,
                      .share_fds = true,
                      .own_fds = LV_LOWFDS_END,
                      .probe_fd = sp->low.blank};
  int made[LV_LOWFDS_END], n, no_pipe[2] = {-1, -1};
  lv_spawned none;
  sp->probed = true;
  if (lv_lowfds_crowd(&sp->low, made, &n)) run(sp, &job, no_pipe, &none);
  while (n > 0)
    lv_fd_close(&made[--n]);
  if (job.probed != LV_LOWFDS_END) sp->lacks |= LV_LACKS_UNSHARE;
}

static bool is_high(const lv_spawner *sp, int fd) {
  return fd >= LV_LOWFDS_END || (sp->lacks & LV_LACKS_ROOM) != 0;
}

static bool may_share_fds(lv_spawner *sp, const lv_spawn_job *job) {
  if (!sp->shares || job->no_close_range) return false;
  for (size_t i = 0; i < job->opts->nfds && !sp->crowded; i++)
    sp->crowded = is_high(sp, job->sources[i]);
  if (sp->crowded && !sp->probed) probe(sp);
  return sp->crowded && (sp->lacks & LV_LACKS_UNSHARE) == 0;
}

/* A number by which the child will know our fd, in the part of our descriptors
 * that becomes its own; -1 is none. */
static int lend(lv_spawner *sp, lv_spawn_job *job, int fd) {
  if (fd < 0) return fd;
  int number = is_high(sp, fd) ? lv_lowfds_lend(&sp->low, fd) : fd;
  if (job->own_fds <= (unsigned)number) job->own_fds = (unsigned)number + 1;
  return number;
}

/* All descriptors that the child uses before execve. */
static void lend_fds(lv_spawner *sp, lv_spawn_job *job, lv_spawn_opts *opts) {
  for (size_t i = 0; i < opts->nfds; i++)
    job->sources[i] = lend(sp, job, job->sources[i]);
  opts->ctty = lend(sp, job, opts->ctty);
  opts->foreground = lend(sp, job, opts->foreground);
  opts->cgroup = lend(sp, job, opts->cgroup);
}

/* opts are job->opts: those lent stand there in place of the caller's. */
static int prepare(lv_spawner *sp, lv_spawn_job *job, lv_spawn_opts *opts) {
  job->envp = opts->envp == NULL ? environ : opts->envp;
  job->parent = getpid();
  job->no_close_range = (sp->lacks & LV_LACKS_CLOSE_RANGE) != 0;
  if (opts->oom_score_adj != NULL)
    snprintf(job->oom_score_adj, sizeof job->oom_score_adj, "%d",
             *opts->oom_score_adj);
  int rc = check_sources(job);
  if (rc == 0) rc = list_fds(sp, job);
  if (rc < 0) return rc;
  job->share_fds = may_share_fds(sp, job);
  if (job->share_fds) lend_fds(sp, job, opts);
  return 0;
}

/* opts are changed. If job->cannot_unshare, it has failed for that alone. */
static int attempt(lv_spawner *sp, lv_spawn_job *job, lv_spawn_opts *opts,
                   lv_spawned *out) {
  int ends[2] = {-1, -1};
  *job = (lv_spawn_job){.opts = opts, .probe_fd = -1};
  int rc = prepare(sp, job, opts);
  if (rc == 0 && !sp->shares) rc = lv_fd_pipe(ends);
  if (rc == 0) rc = run(sp, job, ends, out);
  lv_fd_close(&ends[0]);
  lv_fd_close(&ends[1]);
  lv_lowfds_take_back(&sp->low);
  return rc;
}

int lv_spawn(lv_spawner *sp, const lv_spawn_opts *opts, lv_spawned *out) {
  *out = (lv_spawned){.pid = -1, .pidfd = -1};
  lv_spawn_opts ours = *opts;
  lv_spawn_job job;
  int rc = attempt(sp, &job, &ours, out);
  if (job.cannot_unshare) { /* a sandbox has been entered since last time */
    sp->lacks |= LV_LACKS_UNSHARE;
    ours = *opts;
    rc = attempt(sp, &job, &ours, out);
  }
  if (rc < 0) out->op = job.report.op == NULL ? "clone" : job.report.op;
  return rc;
}
