/* os/proctree.h — The processes below others. */
#ifndef LV_OS_PROCTREE_H
#define LV_OS_PROCTREE_H

#include "os/procfile.h"

/* Processes. Zeroed memory is empty. */
typedef struct {
  lv_procstat *list;
  size_t n, room;
  bool lost_some; /* one was there, and had gone before it could be read: its
                     child may be missing */
} lv_proctree;

/* Add what there is, also zombies, ordered by the numbers of their parents.
 * 0 or -errno. */
int lv_proctree_all(lv_proctree *t);

/* Where the children of a process begin in such an order. */
size_t lv_proctree_first(const lv_proctree *all, pid_t parent);

/* Add those of `tops` that are alive and all such below them, each after its
 * parent: as they are in `all`, or if that is NULL now. 0 or -errno. What forks
 * or ends meanwhile may be missing: whoever must have all looks again until
 * nothing new comes. -ENOSYS: without `all` the kernel cannot say. */
int lv_proctree_below(lv_proctree *t, const lv_pids *tops,
                      const lv_proctree *all);

/* Add the children of a process in `all`, dead or alive. 0 or -errno. */
int lv_proctree_children(lv_pids *to, pid_t parent, const lv_proctree *all);

void lv_proctree_fini(lv_proctree *t);

#endif
