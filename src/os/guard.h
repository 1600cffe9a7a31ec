/* os/guard.h — A small process beside a supervisor that ends what is left of
 * its services should it be killed itself. */
#ifndef LV_OS_GUARD_H
#define LV_OS_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The program is executed again under this name to be a guard, with these
 * descriptors. It is not called as the program, so that who kills luvisor by
 * its name does not kill the guard, too. */
#define LV_GUARD_NAME "lv-guard"
enum {
  LV_GUARD_NOTES = 3,
  LV_GUARD_WATCHED = 4,
  LV_GUARD_LOCK = 5 /* lv_cgroup_lock's, if there is one: its folder is in use
                       until the guard has done its work, too */
};

/* What the guard must know, in memory that both have: whom to look for. */
typedef struct {
  char run[64];      /* processes with LUVISOR_RUN=run in their environment, */
  char cgroup[4096]; /* those in the folder "kill" of this one, if it is any, */
} lv_guard_notes;    /* and those of the sessions that are noted behind this */

/* A descriptor of new notes, or -errno. */
int lv_guard_notes_new(const lv_guard_notes *notes);

/* Note a session in a slot (from 0), or with 0 that the slot is free. 0 or
 * -errno. */
int lv_guard_notes_set(int fd, size_t slot, pid_t session);

/* [0]: readable when this process has ended, a pidfd; else, [1] is to be kept
 * open meanwhile. 0 or -errno. */
int lv_guard_watch(int fds[2], bool use_pidfd);

/* Be the guard: sleep until the watched process ends, then kill. For main();
 * the exit code. */
int lv_guard_main(void);

#endif
