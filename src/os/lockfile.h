/* os/lockfile.h — A file that one process at a time has. */
#ifndef LV_OS_LOCKFILE_H
#define LV_OS_LOCKFILE_H

#include <sys/types.h>

/* Make the file if need be, lock it, and write our number into it. A descriptor
 * that has the lock while it is open; -EWOULDBLOCK: another process has it,
 * *holder if the file says which, else 0; or -errno. */
int lv_lockfile_take(const char *path, pid_t *holder);

/* Remove the file and let go of the lock; *fd becomes -1, which is harmless. */
void lv_lockfile_drop(const char *path, int *fd);

#endif
