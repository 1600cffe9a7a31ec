/* bind/time.c — Clocks.
 * @module luvisor.time */
#include "bind/modules.h"

#include <lauxlib.h>
#include <time.h>

static int push_clock(lua_State *L, clockid_t clock) {
  struct timespec ts;
  clock_gettime(clock, &ts);
  lua_pushnumber(L, (lua_Number)ts.tv_sec + (lua_Number)ts.tv_nsec / 1e9);
  return 1;
}

/*** time.now() -> seconds
 * Of a clock that never steps and started at some time: for measuring. */
static int l_now(lua_State *L) {
  return push_clock(L, CLOCK_MONOTONIC);
}

/*** time.wall() -> seconds
 * Since 1970, as os.time but with fractions; it may step. */
static int l_wall(lua_State *L) {
  return push_clock(L, CLOCK_REALTIME);
}

int lv_open_time(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"now", l_now}, {"wall", l_wall}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
