/* os/group.h — Process groups: who is alive in one, which has a terminal. */
#ifndef LV_OS_GROUP_H
#define LV_OS_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether a process of the group is alive (a zombie is not), as /proc tells:
 * kill(2) cannot say it while the leader's zombie is kept. false is what a look
 * after `since` (ns, CLOCK_MONOTONIC) said, true may be what an older one did
 * not know: one look answers all who ask within some milliseconds. */
bool lv_group_may_be_alive(pid_t group, uint64_t since);

/* Make the group the foreground one of our terminal; from a background group,
 * too. Does nothing where that is not possible. */
void lv_group_set_foreground(int tty, pid_t group);

#endif
