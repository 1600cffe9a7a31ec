/* os/proctree.h — The processes below others. */
#ifndef LV_OS_PROCTREE_H
#define LV_OS_PROCTREE_H

#include "os/procfile.h"

/* Processes; those that are dead are left out. Zeroed memory is empty. */
typedef struct {
  lv_procstat *list;
  size_t n, room;
} lv_proctree;

/* Add what there is, ordered by the numbers of their parents. 0 or -errno. */
int lv_proctree_all(lv_proctree *t);

/* Where the children of a process begin in such an order. */
size_t lv_proctree_first(const lv_proctree *all, pid_t parent);

/* Add those of `tops` that are there and all below them, each after its
 * parent. 0 or -errno. What forks or ends meanwhile may be missing: whoever
 * must have all looks again until nothing new comes. */
int lv_proctree_below(lv_proctree *t, const lv_pids *tops);

/* Add the children of a process, dead or alive. 0 or -errno. */
int lv_proctree_children(lv_pids *to, pid_t parent);

void lv_proctree_fini(lv_proctree *t);

#endif
