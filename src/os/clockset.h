/* os/clockset.h — A descriptor that tells when somebody sets the wall clock, or
 * the machine wakes from sleep. */
#ifndef LV_OS_CLOCKSET_H
#define LV_OS_CLOCKSET_H

/* The descriptor, CLOEXEC and non-blocking, or -errno. */
int lv_clockset_open(void);

/* It was readable: take that, and be told of the next time. 0 or -errno. */
int lv_clockset_rearm(int fd);

#endif
