/* os/spawn_child.c — What a new child does between its birth and execve.
 *
 * It runs in our memory while we stand still, on a stack of its own and with
 * our thread-local storage. So it makes raw system calls and nothing else:
 * libc's setuid would tell "the other threads" (ours), malloc could find its
 * lock held by one of them. It writes to the job and to errno, no further; all
 * signals are blocked until the end, and no handler of ours may run here.
 *
 * The steps are a table. The order matters, and each step says why it stands
 * where it stands. A step returns 0 or -errno; the first that fails is what
 * lv_spawn reports. */
#include "os/spawn_child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"

#define CHILD LV_NO_SANITIZE static

/* On 32-bit machines the plain names are calls with 16-bit ids. */
#ifdef SYS_setgroups32
#define SETGROUPS SYS_setgroups32
#define SETRESGID SYS_setresgid32
#define SETRESUID SYS_setresuid32
#else
#define SETGROUPS SYS_setgroups
#define SETRESGID SYS_setresgid
#define SETRESUID SYS_setresuid
#endif

#ifndef SYS_close_range
#define SYS_close_range 436 /* the same on every machine */
#endif
#define UNSHARE 2U /* CLOSE_RANGE_UNSHARE */

/* A kernel's sigset_t has one bit for each of 64 signals; glibc's is larger,
 * and its functions spare the two signals that glibc keeps for itself. */
#define KERNEL_SIGNALS 64
#define KERNEL_SIGSET  (KERNEL_SIGNALS / 8)

static_assert(sizeof(struct rlimit) == 2 * sizeof(uint64_t),
              "prlimit64 needs 64-bit limits");

/* The result of syscall(2), or -errno. */
CHILD int check(long result) {
  return result == -1 ? -errno : (int)result;
}

/* A copy of the low descriptors, which are few, instead of all of ours, and of
 * none that the child would only close again. Before all else: until here a
 * descriptor that it closed or replaced would be ours. */
CHILD int unshare_fds(lv_spawn_job *job) {
  if (!job->share_fds) return 0;
  int rc = check(syscall(SYS_close_range, job->own_fds, ~0U, UNSHARE));
  job->cannot_unshare = rc < 0;
  return rc;
}

CHILD int probe(lv_spawn_job *job) {
  if (job->probe_fd < 0) return 0;
  long from = (long)job->own_fds;
  job->probed = check(syscall(SYS_fcntl, job->probe_fd, (long)F_DUPFD, from));
  return -ECANCELED;
}

/* The kernel would reset caught signals at execve, but they must not be caught
 * from when they are unblocked; and ignored ones would stay ignored. */
CHILD int reset_signals(lv_spawn_job *job) {
  /* All zero is SIG_DFL, no flags, empty mask, however the fields lie. Static,
   * or the compiler may call memset, and that be a sanitizer's. */
  static const unsigned long action[8];
  for (int signum = 1; signum <= KERNEL_SIGNALS; signum++) {
    if ((job->reset >> (signum - 1) & 1) == 0) continue;
    int rc = check(
        syscall(SYS_rt_sigaction, signum, action, NULL, (long)KERNEL_SIGSET));
    if (rc < 0) return rc;
  }
  return 0;
}

CHILD int start_session(lv_spawn_job *job) {
  return job->opts->session ? check(syscall(SYS_setsid)) : 0;
}

CHILD int join_group(lv_spawn_job *job) {
  pid_t group = job->opts->pgroup;
  return group < 0 ? 0 : check(syscall(SYS_setpgid, 0, group));
}

/* After setsid: only a leader without a terminal may take one. */
CHILD int take_terminal(lv_spawn_job *job) {
  int fd = job->opts->ctty;
  return fd < 0 ? 0 : check(syscall(SYS_ioctl, fd, (long)TIOCSCTTY, 0L));
}

/* After setpgid. A background process may do this because SIGTTOU is blocked
 * (POSIX, tcsetpgrp). */
CHILD int take_foreground(lv_spawn_job *job) {
  int fd = job->opts->foreground;
  if (fd < 0) return 0;
  pid_t group = (pid_t)syscall(SYS_getpgid, 0);
  return check(syscall(SYS_ioctl, fd, (long)TIOCSPGRP, &group));
}

/* Writes a short text to a file of the kernel's. */
CHILD int tell(int dir, const char *path, const char *text, size_t n) {
  int fd = check(syscall(SYS_openat, dir, path, O_WRONLY | O_CLOEXEC));
  if (fd < 0) return fd;
  int rc = check(syscall(SYS_write, fd, text, n));
  syscall(SYS_close, fd);
  return rc < 0 ? rc : 0;
}

/* "0" stands for whoever writes it (cgroups(7)). Before the descriptors are
 * replaced, and while we may still be root. */
CHILD int enter_cgroup(lv_spawn_job *job) {
  if (!job->enter_cgroup) return 0;
  return tell(job->opts->cgroup, "cgroup.procs", "0", 1);
}

CHILD bool is_target(const lv_spawn_job *job, int fd) {
  for (size_t i = 0; i < job->opts->nfds; i++)
    if (job->targets[i] == fd) return true;
  return false;
}

/* A copy of fd that no target will overwrite. A copy that lands on a target's
 * number is left there, for that one is overwritten: it was not open, and so
 * is no source. */
CHILD int copy_aside(const lv_spawn_job *job, int fd) {
  int copy = -1;
  do
    copy = check(syscall(SYS_fcntl, fd, (long)F_DUPFD_CLOEXEC, copy + 1L));
  while (copy >= 0 && is_target(job, copy));
  return copy;
}

/* Sources that stand where a target must go are moved, which makes any
 * permutation a list of plain dup3 calls. */
CHILD int clear_targets(lv_spawn_job *job) {
  for (size_t i = 0; i < job->opts->nfds; i++) {
    int fd = job->sources[i];
    if (fd == job->opts->fds[i].target || !is_target(job, fd)) continue;
    job->sources[i] = copy_aside(job, fd);
    if (job->sources[i] < 0) return job->sources[i];
  }
  if (!is_target(job, job->report_fd)) return 0;
  int copy = copy_aside(job, job->report_fd);
  if (copy >= 0) job->report_fd = copy;
  return copy < 0 ? copy : 0;
}

CHILD int place(int source, int target) {
  if (source == target) /* dup3 refuses this: only FD_CLOEXEC must go */
    return check(syscall(SYS_fcntl, target, (long)F_SETFD, 0L));
  int rc;
  do
    rc = check(syscall(SYS_dup3, source, target, 0));
  while (rc == -EINTR || rc == -EBUSY);
  return rc;
}

/* Before limits, as RLIMIT_NOFILE forbids targets above it; before setuid only
 * because of that. */
CHILD int place_fds(lv_spawn_job *job) {
  int rc = clear_targets(job);
  for (size_t i = 0; rc >= 0 && i < job->opts->nfds; i++)
    rc = place(job->sources[i], job->opts->fds[i].target);
  return rc < 0 ? rc : 0;
}

CHILD bool is_kept(const lv_spawn_job *job, int fd) {
  return fd == job->report_fd || is_target(job, fd);
}

CHILD int parse_fd(const char *digits) {
  int fd = 0;
  for (; *digits >= '0' && *digits <= '9'; digits++)
    fd = 10 * fd + (*digits - '0');
  return *digits == '\0' ? fd : -1; /* "." and ".." are no numbers */
}

struct dirent_head { /* struct linux_dirent64, getdents64(2) */
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

/* Closes what /proc lists. It lists by number, so closing while it is read
 * makes it skip nothing. */
CHILD int close_listed(const lv_spawn_job *job) {
  _Alignas(struct dirent_head) char buf[2048];
  int dir = check(syscall(SYS_openat, AT_FDCWD, "/proc/self/fd",
                          O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir < 0) return dir;
  int n;
  while ((n = check(syscall(SYS_getdents64, dir, buf, sizeof buf))) > 0) {
    const struct dirent_head *entry;
    for (int at = 0; at < n; at += entry->length) {
      entry = (const void *)(buf + at);
      int fd = parse_fd(entry->name);
      if (fd >= 0 && fd != dir && !is_kept(job, fd)) syscall(SYS_close, fd);
    }
  }
  syscall(SYS_close, dir);
  return n;
}

/* The last resort, slow where the limit is high. */
CHILD int close_counted(const lv_spawn_job *job) {
  struct rlimit limit;
  int rc = check(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit));
  if (rc < 0) return rc;
  int end = limit.rlim_cur > INT_MAX ? INT_MAX : (int)limit.rlim_cur;
  for (int fd = 0; fd < end; fd++)
    if (!is_kept(job, fd)) syscall(SYS_close, fd);
  return 0;
}

/* Closes [first, last] but for the pipe of the report, which closes itself at
 * execve. */
CHILD int close_gap(const lv_spawn_job *job, unsigned first, unsigned last) {
  unsigned kept = (unsigned)job->report_fd; /* -1 is beyond every number */
  if (kept >= first && kept <= last) {
    int rc = kept > first ? close_gap(job, first, kept - 1) : 0;
    if (rc < 0 || kept == last) return rc;
    first = kept + 1;
  }
  return check(syscall(SYS_close_range, first, last, 0));
}

CHILD int close_gaps(const lv_spawn_job *job) {
  unsigned first = 0;
  for (size_t i = 0; i < job->opts->nfds; i++) {
    unsigned target = (unsigned)job->targets[i];
    int rc = target > first ? close_gap(job, first, target - 1) : 0;
    if (rc < 0) return rc;
    first = target + 1;
  }
  return close_gap(job, first, INT_MAX);
}

/* close_range came with Linux 5.9. */
CHILD int close_others(lv_spawn_job *job) {
  if (!job->no_close_range) {
    int rc = close_gaps(job);
    if (rc != -ENOSYS && rc != -EPERM) return rc;
  }
  int rc = close_listed(job);
  return rc < 0 ? close_counted(job) : rc;
}

/* vfork_done tells the kernel to leave our own score alone, though we share
 * its memory (fs/proc/base.c, __set_oom_adj). Before limits: it needs a free
 * descriptor. */
CHILD int set_oom_score_adj(lv_spawn_job *job) {
  const char *text = job->oom_score_adj;
  size_t n = 0;
  while (text[n] != '\0')
    n++;
  if (n == 0) return 0;
  return tell(AT_FDCWD, "/proc/self/oom_score_adj", text, n);
}

/* As root, for raising hard limits. */
CHILD int set_limits(lv_spawn_job *job) {
  for (size_t i = 0; i < job->opts->nlimits; i++) {
    const lv_limit *l = &job->opts->limits[i];
    int rc = check(syscall(SYS_prlimit64, 0, l->resource, &l->limit, NULL));
    if (rc < 0) return rc;
  }
  return 0;
}

/* After limits: RLIMIT_NICE may be what allows it. */
CHILD int set_nice(lv_spawn_job *job) {
  const int *nice = job->opts->nice;
  return nice == NULL ? 0
                      : check(syscall(SYS_setpriority, PRIO_PROCESS, 0, *nice));
}

CHILD int set_cpus(lv_spawn_job *job) {
  const cpu_set_t *cpus = job->opts->cpus;
  if (cpus == NULL) return 0;
  return check(syscall(SYS_sched_setaffinity, 0, sizeof *cpus, cpus));
}

CHILD int set_umask(lv_spawn_job *job) {
  if (job->opts->umask >= 0) syscall(SYS_umask, job->opts->umask);
  return 0;
}

CHILD int change_root(lv_spawn_job *job) {
  const char *root = job->opts->chroot;
  return root == NULL ? 0 : check(syscall(SYS_chroot, root));
}

/* A working directory outside the new root would be a way out of it. */
CHILD int change_dir(lv_spawn_job *job) {
  const char *dir = job->opts->cwd;
  if (dir == NULL && job->opts->chroot != NULL) dir = "/";
  return dir == NULL ? 0 : check(syscall(SYS_chdir, dir));
}

/* Groups before the user: afterwards we may not. */
CHILD int set_groups(lv_spawn_job *job) {
  const lv_spawn_opts *o = job->opts;
  return o->groups == NULL ? 0
                           : check(syscall(SETGROUPS, o->ngroups, o->groups));
}

CHILD int set_gid(lv_spawn_job *job) {
  const gid_t *gid = job->opts->gid;
  return gid == NULL ? 0 : check(syscall(SETRESGID, *gid, *gid, *gid));
}

CHILD int set_uid(lv_spawn_job *job) {
  const uid_t *uid = job->opts->uid;
  return uid == NULL ? 0 : check(syscall(SETRESUID, *uid, *uid, *uid));
}

CHILD int refuse_privileges(lv_spawn_job *job) {
  if (!job->opts->no_new_privs) return 0;
  return check(syscall(SYS_prctl, (long)PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L));
}

/* After setuid, which clears it (PR_SET_PDEATHSIG(2const)). A parent that died
 * before this sends nothing, and nobody waits for our report either. */
CHILD int follow_parent(lv_spawn_job *job) {
  if (job->opts->pdeathsig == 0) return 0;
  long signum = job->opts->pdeathsig;
  int rc = check(syscall(SYS_prctl, (long)PR_SET_PDEATHSIG, signum));
  if (rc < 0) return rc;
  return syscall(SYS_getppid) == job->parent ? 0 : -ESRCH;
}

/* May another directory of PATH still have it? As glibc's execvp decides. */
CHILD bool is_elsewhere(int error) {
  switch (error) {
  case ENOENT:
  case ENOTDIR:
  case EACCES:
  case ENODEV:
  case ESTALE:
  case ETIMEDOUT: return true;
  default: return false;
  }
}

/* snprintf is not for a child that shares our memory. */
CHILD void write_pid(char *to) {
  char digits[LV_PID_ROOM];
  int n = 0;
  for (long pid = syscall(SYS_getpid); pid > 0; pid /= 10)
    digits[n++] = (char)('0' + pid % 10);
  while (n > 0)
    *to++ = digits[--n];
  *to = '\0';
}

/* Whatever signal came since the birth is delivered here, with its default
 * action, as if it had come right after execve. A file that was found but may
 * not be executed is what the user wants to hear of, as in execvp(3). */
CHILD int execute(lv_spawn_job *job) {
  const lv_spawn_opts *o = job->opts;
  const uint64_t none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, (long)KERNEL_SIGSET);
  for (char *const *to = o->pids; to && *to; to++)
    write_pid(*to);
  int error = ENOENT;
  bool denied = false;
  for (char *const *file = o->files; *file != NULL; file++) {
    syscall(SYS_execve, *file, o->argv, job->envp);
    error = errno;
    if (!is_elsewhere(error)) return -error;
    if (error == EACCES) denied = true;
  }
  return denied ? -EACCES : -error;
}

static const struct {
  const char *op;
  int (*run)(lv_spawn_job *job); /* 0 or more, or -errno */
} steps[] = {
    {"fds", unshare_fds},
    {"fds", probe},
    {"clone", reset_signals},
    {"setsid", start_session},
    {"setpgid", join_group},
    {"tty", take_terminal},
    {"tty", take_foreground},
    {"cgroup", enter_cgroup},
    {"fds", place_fds},
    {"fds", close_others},
    {"oom_score_adj", set_oom_score_adj},
    {"limits", set_limits},
    {"nice", set_nice},
    {"cpu_affinity", set_cpus},
    {"umask", set_umask},
    {"chroot", change_root},
    {"chdir", change_dir},
    {"groups", set_groups},
    {"setgid", set_gid},
    {"setuid", set_uid},
    {"no_new_privs", refuse_privileges},
    {"pdeathsig", follow_parent},
    {"exec", execute},
};

LV_NO_SANITIZE int lv_spawn_child(void *arg) {
  lv_spawn_job *job = arg;
  job->seen = true;
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    int rc = steps[i].run(job);
    if (rc >= 0) continue;
    job->report.op = steps[i].op;
    job->report.error = -rc;
    break;
  }
  if (job->report_fd >= 0)
    syscall(SYS_write, job->report_fd, &job->report, sizeof job->report);
  for (;;)
    syscall(SYS_exit_group, 127);
}
