/* os/group.h — Who is in a process group. */
#ifndef LV_OS_GROUP_H
#define LV_OS_GROUP_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether a process of the group is alive (a zombie is not), as /proc tells.
 * kill(2) cannot say it while the leader's zombie is kept. One look at /proc
 * answers all who ask within some milliseconds. */
bool lv_group_is_alive(pid_t group);

#endif
