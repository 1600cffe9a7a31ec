/* core/proc.h — A child process: started once, signalled, reaped. See proc.c. */
#ifndef LV_CORE_PROC_H
#define LV_CORE_PROC_H

#include "base/list.h"
#include "core/runtime.h"
#include "os/pidfd.h"
#include "os/spawn.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct lv_proc lv_proc;

/* Called from the loop. */
typedef void (*lv_proc_fn)(lv_proc *p, void *arg);

struct lv_proc {
  lv_rt *rt;
  lv_list link; /* in rt->procs until it is reaped */
  pid_t pid;
  int pidfd;     /* -1 without pidfds, and after the end */
  lv_spot spot;  /* of pidfd, while the end is waited for by it */
  lv_exit exit;  /* valid once it has ended */
  int lost;      /* -errno if nobody can know how it ended */
  bool ended;    /* it is dead, */
  bool reaped;   /* and its number may be another's */
  bool leader;   /* of a process group of its own */
  bool ours;     /* a child, not somebody else's */
  bool adopted;  /* not started by us */
  bool detached; /* it may outlive us */
  bool owned;    /* somebody holds the pointer: not freed when reaped */
  int holds;     /* who will yet signal its group: not reaped meanwhile */
  lv_proc *same; /* adopted: who watched it before, held; or NULL */
  uint64_t started, finished; /* ns, uv_hrtime's clock */
  lv_proc_fn fn;              /* it has ended: called once */
  void *arg;
  lv_proc_fn stop_fn; /* lv_proc_tell_stops */
  void *stop_arg;
};

/* 0, or -errno with *op saying what failed ("exec", "chdir" …). The nofile
 * limit that we raised for ourselves is put back in the child. Blocks until
 * the exec. */
int lv_proc_start(lv_proc **out, lv_rt *rt, const lv_spawn_opts *opts,
                  const char **op);

/* Watch a process that is not our child, or is but was not started by us.
 * -ENOSYS without pidfds, -ESRCH if there is none. */
int lv_proc_adopt(lv_proc **out, lv_rt *rt, pid_t pid);

/* Call fn each time the child was stopped (a pidfd does not tell of that); NULL:
 * no more. */
void lv_proc_tell_stops(lv_proc *p, lv_proc_fn fn, void *arg);

/* 0 or -errno, -ESRCH once it has ended. The group's lives as long as somebody
 * holds the process; a process that leads none is signalled alone. */
int lv_proc_signal(lv_proc *p, int signum);
int lv_proc_signal_group(lv_proc *p, int signum);

/* Between the two it is not reaped, so that its group's number stays its. */
void lv_proc_hold(lv_proc *p);
void lv_proc_release(lv_proc *p);

/* The owner lets go; a child of ours is reaped all the same. */
void lv_proc_disown(lv_proc *p);

/* It has ended, as somebody saw: settle it now. */
void lv_proc_look(lv_proc *p);

/* KILL to every child that is not detached, and to its group, and the terminal
 * back from whom it was lent to. Calls nothing that a signal handler may not,
 * and reads the list forwards only, which is whole at every moment. */
void lv_procs_kill(lv_rt *rt);

/* The end of the program: let go of all that still run. */
void lv_procs_forget(lv_rt *rt);

#endif
