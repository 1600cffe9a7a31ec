/* os/inotify.h — What happens in a folder or to a file (inotify(7)). */
#ifndef LV_OS_INOTIFY_H
#define LV_OS_INOTIFY_H

#include <stddef.h>
#include <sys/types.h>

/* A descriptor, CLOEXEC and non-blocking, that tells of `mask`; or -errno. */
int lv_inotify_open(const char *path, unsigned mask);

#endif
