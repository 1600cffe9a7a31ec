/* bind/fdwait.c — See fdwait.h. */
#include "bind/fdwait.h"

#include "bind/error.h"
#include "bind/host.h"
#include "os/fd.h"

static void wake(const lv_fdwait *w) {
  if (w->waiter && w->waiter->state == LV_PARKED) lv_wake(w->waiter, 0);
}

static void on_readable(void *arg, int events) {
  lv_fdwait *w = arg;
  (void)events;
  lv_watch_set(w->watch, 0);
  wake(w);
}

static lv_abort abort_wait(lv_task *t, void *op) {
  lv_fdwait *w = op;
  (void)t;
  w->waiter = NULL;
  lv_watch_set(w->watch, 0);
  return LV_STOPPED;
}

int lv_fdwait_open(lv_fdwait *w, lv_host *host) {
  if (w->watch) return 0;
  return lv_watch_open(&w->watch, &host->rt.loop, w->fd, false, on_readable, w);
}

int lv_fdwait_check(lua_State *L, const lv_fdwait *w) {
  return w->waiter ? lv_raise(L, "Busy", "another task waits for this") : 0;
}

int lv_fdwait_park(lua_State *L, lv_task *t, lv_fdwait *w, const char *why,
                   lua_KFunction k) {
  int rc = lv_fdwait_open(w, t->host);
  if (rc == 0) rc = lv_watch_set(w->watch, UV_READABLE);
  if (rc < 0) return rc;
  w->waiter = t;
  return lv_park(L, t, why, w, abort_wait, k);
}

void lv_fdwait_done(lv_fdwait *w, const lv_task *t) {
  if (w->waiter == t) w->waiter = NULL;
}

void lv_fdwait_close(lv_fdwait *w) {
  lv_watch_close(w->watch);
  w->watch = NULL;
  lv_fd_close(&w->fd);
  wake(w);
  w->waiter = NULL;
}
