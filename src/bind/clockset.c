/* bind/clockset.c — Waiting until somebody sets the wall clock.
 * @module luvisor.core.clockset */
#include "os/clockset.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "bind/task.h"
#include "core/watch.h"
#include "os/fd.h"

#include <lauxlib.h>

static const char METATABLE[] = "luvisor.ClockSet";

typedef struct {
  int fd; /* -1 once closed */
  lv_watch *watch;
  lv_task *waiter;
} clockset;

static void on_set(void *arg, int events) {
  clockset *c = arg;
  (void)events;
  lv_watch_set(c->watch, 0);
  lv_task *t = c->waiter;
  c->waiter = NULL;
  if (t) lv_wake(t, 0);
}

static lv_abort abort_wait(lv_task *t, void *op) {
  clockset *c = op;
  (void)t;
  c->waiter = NULL;
  lv_watch_set(c->watch, 0);
  return LV_STOPPED;
}

static int wait_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  clockset *c = lua_touserdata(L, 1);
  if (c->fd >= 0) lv_clockset_rearm(c->fd);
  lua_pushboolean(L, c->fd >= 0);
  return 1;
}

/*** c:wait() -> boolean
 * Waits until the clock is set; false: it was closed. */
static int l_wait(lua_State *L) {
  clockset *c = luaL_checkudata(L, 1, METATABLE);
  lua_settop(L, 1);
  lv_task *t = lv_task_check(L);
  if (c->fd < 0) {
    lua_pushboolean(L, 0);
    return 1;
  }
  if (c->waiter) return lv_raise(L, "Busy", "another task waits");
  int rc = lv_watch_set(c->watch, UV_READABLE);
  if (rc < 0) return lv_raise_os(L, rc, "watch", NULL);
  c->waiter = t;
  return lv_park(L, t, "the clock to be set", c, abort_wait, wait_done);
}

/*** c:close()
 * Who waits gets false. Twice is harmless. */
static int l_close(lua_State *L) {
  clockset *c = luaL_checkudata(L, 1, METATABLE);
  lv_watch_close(c->watch);
  c->watch = NULL;
  lv_fd_close(&c->fd);
  if (c->waiter) lv_wake(c->waiter, 0);
  c->waiter = NULL;
  return 0;
}

/*** clockset.open() -> c
 * Raises OSError. */
static int l_open(lua_State *L) {
  clockset *c = lua_newuserdatauv(L, sizeof *c, 0);
  *c = (clockset){.fd = -1};
  luaL_setmetatable(L, METATABLE);
  c->fd = lv_clockset_open();
  int rc = c->fd < 0 ? c->fd : 0;
  if (rc == 0)
    rc = lv_watch_open(&c->watch, &lv_host_of(L)->rt.loop, c->fd, false, on_set,
                       c);
  if (rc < 0) return lv_raise_os(L, rc, "timerfd", NULL);
  return 1;
}

int lv_open_clockset(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"wait", l_wait}, {"close", l_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
  luaL_newmetatable(L, METATABLE);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, l_close);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, l_close);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
