/* os/pidfd.h — Watch, signal and reap one child: by pidfd, or by number where
 * the kernel has no pidfds (fd -1). */
#ifndef LV_OS_PIDFD_H
#define LV_OS_PIDFD_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

typedef struct {
  int code;   /* exit code, or -1 if a signal ended it */
  int signal; /* that signal, or 0 */
  bool core;  /* it left a core dump */
  struct rusage usage;
} lv_exit;

/* A CLOEXEC pidfd of any process, or -errno (-ESRCH: there is none). */
int lv_pidfd_open(pid_t pid);

/* 1 and *out if the child has ended, 0 if it runs, or -errno (-ECHILD: it is
 * not ours, or somebody else reaped it). It stays a zombie, its pid taken. */
int lv_child_peek(pid_t pid, int pidfd, lv_exit *out);

/* The same, and the zombie is gone. */
int lv_child_reap(pid_t pid, int pidfd, lv_exit *out);

/* 1 if the child has stopped (SIGSTOP, SIGTSTP …) since last asked, else 0. */
int lv_child_stopped(pid_t pid, int pidfd);

/* 0 or -errno. Must not be called once the child is reaped: the number may be
 * another's by then. */
int lv_child_signal(pid_t pid, int pidfd, int signum);

#endif
