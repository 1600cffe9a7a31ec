/* core/runtime.h — What one program has once: the loop, its timers, the
 * spawner, the children, the signal dispositions. */
#ifndef LV_CORE_RUNTIME_H
#define LV_CORE_RUNTIME_H

#include "base/list.h"
#include "core/sig.h"
#include "core/timer.h"
#include "core/watchset.h"
#include "os/spawn.h"

#include <stdbool.h>
#include <uv.h>

typedef struct lv_rt {
  uv_loop_t loop;
  lv_timers timers;
  lv_watchset seldom; /* pidfds, and the pipes of logs */
  lv_spawner *spawner;
  lv_sigs sigs;
  lv_list procs;       /* lv_proc.link: children not reaped yet */
  lv_sub sigchld;      /* subscribed while it has somebody to tell */
  size_t need_sigchld; /* how many those are */
  lv_sub orphans;      /* core/strangers.c, while it reaps them … */
  int subreapers;      /* … for this many; */
  lv_timer look;       /* and is about to look who has ended, */
  double look_rest;    /* not sooner than this (seconds) after the last look */
  lv_list writers;     /* lv_writer.link: closed, but still flushing */
  lv_list gathering;   /* lv_writer.late: with something for a thread, … */
  uint64_t gathered;   /* … the first of them since then (ns) */
  bool pidfds;
  int lent_tty;         /* a child has it (core/foreground.h), or -1 */
  struct rlimit nofile; /* as we found it, for the children */
  int wide_pipes;       /* how many we widened and still hold */
  bool may_widen_all;   /* CAP_SYS_RESOURCE: no per-user limit on pipe pages */
  char scratch[65536];  /* for one read at a time */
} lv_rt;

/* Takes hold of the process: SIGCHLD to default (ignored, exit codes would be
 * lost: waitpid(2)), SIGPIPE and SIGXFSZ ignored, no signal blocked, the soft
 * nofile limit raised to the hard one. pidfds = false: as on a kernel without
 * them. 0 or -errno. */
int lv_rt_init(lv_rt *rt, bool pidfds);

/* As process 1, INT, TERM and HUP wait until here: the kernel would drop what
 * comes before somebody listens (pid_namespaces(7)). */
void lv_rt_hear(void);

/* Close what is the runtime's own and run the loop until nothing is left on
 * it: everything else must be closed or closing. */
void lv_rt_fini(lv_rt *rt);

/* Widen a pipe that was found full to 1 MiB; false if it stays as it is. The
 * kernel gives a user without privilege 64 such pipes and then makes every
 * further pipe of that user tiny (pipe(7)), so we take 16 at the most. */
bool lv_rt_widen(lv_rt *rt, int pipe_fd);
void lv_rt_unwiden(lv_rt *rt); /* one that was widened is closed */

#endif
