/* os/procfile.h — What /proc says of one process. */
#ifndef LV_OS_PROCFILE_H
#define LV_OS_PROCFILE_H

#include "os/pids.h"

typedef struct {
  pid_t pid, ppid, pgrp, session;
  unsigned long long start; /* in clock ticks since boot: with pid, a name that
                               no other process ever has */
  char state;               /* as proc(5): R, S, D, Z, T … */
  int threads;
  char comm[64];
} lv_procstat;

/* 0 or -errno; -ESRCH: there is no such process. */
int lv_procstat_read(lv_procstat *stat, pid_t pid);

/* A zombie. One whose other threads run on is none: only its first has ended.
 */
bool lv_procstat_is_dead(const lv_procstat *stat);

/* Does the kernel list the children of a process (CONFIG_PROC_CHILDREN)? */
bool lv_proc_lists_children(void);

/* Add its children, dead or alive, of all threads or (`threads` = 1) of the
 * first, which is cheaper. 0 or -errno: -ENOSYS where they are not listed. */
int lv_proc_children(lv_pids *to, pid_t parent, int threads);

/* The value of a variable in its environment, as that was at its exec, is to be
 * freed; NULL: there is none. 0 or -errno: -EAGAIN if it is being executed and
 * has none yet. */
int lv_proc_env(pid_t pid, const char *name, char **value);

/* Its real user; -1 if we may not know. */
long lv_proc_uid(pid_t pid);

/* Signal the process of this pid and start time, and no other that has got its
 * number. 0 or -errno, -ESRCH if it has ended. */
int lv_proc_signal_exactly(pid_t pid, unsigned long long start, int signum);

#endif
