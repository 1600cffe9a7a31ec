/* bind/clockset.c — Waiting until somebody sets the wall clock.
 * @module luvisor.core.clockset */
#include "os/clockset.h"
#include "bind/class.h"
#include "bind/error.h"
#include "bind/fdwait.h"
#include "bind/host.h"
#include "bind/modules.h"

#include <lauxlib.h>

static const char METATABLE[] = "luvisor.ClockSet";

static int wait_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  lv_fdwait *c = lua_touserdata(L, 1);
  lv_fdwait_done(c, t);
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  if (c->fd >= 0) lv_clockset_rearm(c->fd);
  lua_pushboolean(L, c->fd >= 0);
  return 1;
}

/*** c:wait() -> boolean
 * Waits until the clock is set; false: it was closed. */
static int l_wait(lua_State *L) {
  lv_fdwait *c = luaL_checkudata(L, 1, METATABLE);
  lua_settop(L, 1);
  lv_task *t = lv_task_check(L);
  if (c->fd < 0) {
    lua_pushboolean(L, 0);
    return 1;
  }
  lv_fdwait_check(L, c);
  int rc = lv_fdwait_park(L, t, c, "the clock to be set", wait_done);
  return lv_raise_os(L, rc, "watch", NULL);
}

/*** c:close()
 * Who waits gets false. Twice is harmless. */
static int l_close(lua_State *L) {
  lv_fdwait_close(luaL_checkudata(L, 1, METATABLE));
  return 0;
}

/*** clockset.open() -> c
 * Raises OSError. */
static int l_open(lua_State *L) {
  lv_fdwait *c = lua_newuserdatauv(L, sizeof *c, 0);
  *c = (lv_fdwait){.fd = -1};
  luaL_setmetatable(L, METATABLE);
  c->fd = lv_clockset_open();
  int rc = c->fd < 0 ? c->fd : lv_fdwait_open(c, lv_host_of(L));
  if (rc < 0) return lv_raise_os(L, rc, "timerfd", NULL);
  return 1;
}

int lv_open_clockset(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"wait", l_wait}, {"close", l_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
  luaL_newlib(L, functions);
  return 1;
}
