/* os/pidfd.c — Watch, signal and reap one child.
 *
 * waitid(2) is called raw, for its fifth argument: only so does it give the
 * child's resource usage too, also while it leaves the zombie alone. Where the
 * kernel has no P_PIDFD (before 5.4) the child's number does: nobody else can
 * have it until the child is reaped. */
#include "os/pidfd.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The same on every machine; older headers lack them. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum { BY_PIDFD = 3 }; /* P_PIDFD, which glibc has from 2.36 */

int lv_pidfd_open(pid_t pid) {
  int fd = (int)syscall(SYS_pidfd_open, pid, 0); /* always CLOEXEC */
  return fd == -1 ? -errno : fd;
}

static int wait_for(int how, int id, int options, siginfo_t *info,
                    struct rusage *usage) {
  long rc;
  do {
    info->si_pid = 0; /* stays so if nothing has happened (WNOHANG) */
    rc = syscall(SYS_waitid, how, id, info, options | WNOHANG, usage);
  } while (rc == -1 && errno == EINTR);
  if (rc == -1) return -errno;
  return info->si_pid != 0;
}

/* 1 and *info if there is something to tell, 0 if not, or -errno. */
static int ask(pid_t pid, int pidfd, int options, siginfo_t *info,
               struct rusage *usage) {
  if (pidfd >= 0) {
    int rc = wait_for(BY_PIDFD, pidfd, options, info, usage);
    if (rc != -EINVAL) return rc;
  }
  return wait_for(P_PID, pid, options, info, usage);
}

static int ask_for_end(pid_t pid, int pidfd, int options, lv_exit *out) {
  siginfo_t info;
  struct rusage usage;
  int rc = ask(pid, pidfd, WEXITED | options, &info, &usage);
  if (rc != 1) return rc;
  bool exited = info.si_code == CLD_EXITED;
  *out = (lv_exit){
      .code = exited ? info.si_status : -1,
      .signal = exited ? 0 : info.si_status,
      .core = info.si_code == CLD_DUMPED,
      .usage = usage,
  };
  return 1;
}

int lv_child_peek(pid_t pid, int pidfd, lv_exit *out) {
  return ask_for_end(pid, pidfd, WNOWAIT, out);
}

int lv_child_reap(pid_t pid, int pidfd, lv_exit *out) {
  return ask_for_end(pid, pidfd, 0, out);
}

int lv_child_stopped(pid_t pid, int pidfd) {
  siginfo_t info;
  return ask(pid, pidfd, WSTOPPED, &info, NULL) == 1;
}

int lv_child_signal(pid_t pid, int pidfd, int signum) {
  if (pidfd >= 0) {
    if (syscall(SYS_pidfd_send_signal, pidfd, signum, NULL, 0) == 0) return 0;
    if (errno != ENOSYS) return -errno;
  }
  return kill(pid, signum) == -1 ? -errno : 0;
}
