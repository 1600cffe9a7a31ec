/* os/cgroup.h — A folder of cgroup v2 for what a service runs. */
#ifndef LV_OS_CGROUP_H
#define LV_OS_CGROUP_H

#include "os/pids.h"

#include <stdbool.h>

/* The folder of our own cgroup in the cgroup2 mount, wherever that is mounted;
 * to be freed. NULL: there is none. */
char *lv_cgroup_own(void);

/* Mark a folder as in use. A descriptor: it is so while that is open, here or in
 * a process that has got it. -EWOULDBLOCK: somebody else uses it; or -errno. */
int lv_cgroup_lock(const char *dir);

/* Can we start processes in it? To be asked of one that we have made: who may
 * make folders may still not move into them. */
bool lv_cgroup_can_enter(const char *dir);

/* Add the processes of the folder and of those below it. 0 or -errno. */
int lv_cgroup_members(lv_pids *to, const char *dir);

/* KILL to each process in it and below it, whatever it forks meanwhile
 * (cgroup.kill, since Linux 5.14). 0 or -errno, -ENOENT: no such file. */
int lv_cgroup_kill(const char *dir);

/* Does any process live in it? Read in cgroup.events; true if that cannot be
 * opened, as without descriptors. */
bool lv_cgroup_is_populated(const char *dir);

/* Call fn with the path of each folder in it. The first code that fn returns
 * other than 0, or -errno. */
int lv_cgroup_each(const char *dir, int (*fn)(const char *sub, void *arg),
                   void *arg);

/* Remove it. 0: it is gone; -EBUSY: somebody lives in it, or there are folders
 * in it; or -errno. */
int lv_cgroup_remove_empty(const char *dir);

/* Remove it with the folders that were made in it; they must be empty of
 * processes. 0 or -errno. */
int lv_cgroup_remove(const char *dir);

#endif
