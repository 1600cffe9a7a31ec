/* bind/fdwait.h — One task that waits until a descriptor can be read. */
#ifndef LV_BIND_FDWAIT_H
#define LV_BIND_FDWAIT_H

#include "bind/task.h"
#include "core/watch.h"

typedef struct {
  int fd; /* ours; -1 once closed */
  lv_watch *watch;
  lv_task *waiter; /* until it goes on, so that no other takes its place */
} lv_fdwait;

/* Watch it, which the first wait does else. 0 or -errno. */
int lv_fdwait_open(lv_fdwait *w, lv_host *host);

/* Raises Busy if another task waits. */
int lv_fdwait_check(lua_State *L, const lv_fdwait *w);

/* Park t, after the check. Below 0: -errno, and it is not parked. */
int lv_fdwait_park(lua_State *L, lv_task *t, lv_fdwait *w, const char *why,
                   lua_KFunction k);

/* The first thing that k does. */
void lv_fdwait_done(lv_fdwait *w, const lv_task *t);

/* Closes the descriptor and wakes who waits. Twice is harmless. */
void lv_fdwait_close(lv_fdwait *w);

#endif
