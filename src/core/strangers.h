/* core/strangers.h — Orphans below us become our children: they are reaped, and
 * nobody else's exit status is taken. For PID 1 and subreapers. */
#ifndef LV_CORE_STRANGERS_H
#define LV_CORE_STRANGERS_H

#include "core/runtime.h"
#include "os/proctree.h"

/* From now on every orphan of ours is our child (PR_SET_CHILD_SUBREAPER), and
 * is reaped when it ends. 0 or -errno. Calls nest. */
int lv_strangers_adopt(lv_rt *rt);
void lv_strangers_leave(lv_rt *rt);

/* Do children that we did not start come to us? */
bool lv_strangers_come(const lv_rt *rt);

/* Add our children that we have not started, dead or alive: as they are in
 * `all`, or if that is NULL now. 0 or -errno, as lv_proctree_children. */
int lv_strangers_list(lv_pids *to, lv_rt *rt, const lv_proctree *all);

#endif
