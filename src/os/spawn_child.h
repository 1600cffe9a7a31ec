/* os/spawn_child.h — The half of spawn.c that runs in the child. */
#ifndef LV_OS_SPAWN_CHILD_H
#define LV_OS_SPAWN_CHILD_H

#include "os/spawn.h"

#include <stdint.h>

/* What went wrong. Names are string literals: they have the same address in
 * the child, be its memory ours or a copy, so pointers may go through a pipe.
 */
typedef struct {
  const char *op; /* NULL: nothing did */
  int error;      /* an errno */
} lv_spawn_report;

/* All that the child needs, made before it is born. */
typedef struct {
  const lv_spawn_opts *opts;
  char *const *envp;
  int *sources;       /* in place of those in opts->fds; the child moves them */
  const int *targets; /* of opts->fds, in rising order */
  pid_t parent;
  int report_fd;     /* a pipe for the report; or -1, memory is shared */
  bool share_fds;    /* it is born with our table of descriptors: */
  unsigned own_fds;  /* of which it is to have its own, from 0 to this - 1 */
  int probe_fd;      /* or -1; see spawn.c, probe */
  uint64_t reset;    /* signals that it sets to default: bit 0 is signal 1 */
  bool enter_cgroup; /* opts->cgroup is still to be entered */
  bool no_close_range;
  char oom_score_adj[16];
  /* The child's answers, as far as its memory is ours. */
  bool seen;
  bool cannot_unshare; /* share_fds does not work here */
  int probed;          /* the number of a copy of probe_fd, or -errno */
  lv_spawn_report report;
} lv_spawn_job;

/* The child's whole life, for clone(2). Never returns. */
int lv_spawn_child(void *job);

#endif
