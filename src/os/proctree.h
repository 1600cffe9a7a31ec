/* os/proctree.h — The processes below us, as /proc shows them. */
#ifndef LV_OS_PROCTREE_H
#define LV_OS_PROCTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct {
  pid_t pid, ppid, pgrp, session;
  unsigned long long start; /* in clock ticks since boot: with pid, a name that
                               no other process ever has */
  char state;               /* as proc(5): R, S, D, Z, T … */
  char comm[64];
} lv_procstat;

/* 0 or -errno; -ESRCH: there is no such process. */
int lv_procstat_read(lv_procstat *stat, pid_t pid);

/* Those whose ancestor `top` is, zombies left out, each after its parent. *list
 * is to be freed. 0 or -errno. */
int lv_proctree_scan(lv_procstat **list, size_t *n, pid_t top);

/* The zombies that wait for `parent`. *list is to be freed. 0 or -errno. */
int lv_proctree_zombies(lv_procstat **list, size_t *n, pid_t parent);

/* Does its environment, as it was at its exec, have this NAME=value? False also
 * if we may not know. */
bool lv_proc_has_env(pid_t pid, const char *assignment);

/* Signal the process of this pid and start time, and no other that has got its
 * number. 0 or -errno, -ESRCH if it has ended. */
int lv_proc_signal_exactly(pid_t pid, unsigned long long start, int signum);

#endif
