/* bind/quota.c — How much more memory Lua may take: for code that is not
 * trusted. A count hook sees what it has taken after some steps, but not within
 * one, and a single concatenation may take all there is.
 * @module luvisor.core.quota */
#include "bind/host.h"
#include "bind/modules.h"

#include <lauxlib.h>

/*** quota.set([bytes]) -> integer | nil
 * What all of this program may allocate from now on, beyond what it frees; more
 * is "not enough memory". nil: as much as there is. Returns what was left of
 * the quota before. Whoever waits lifts it meanwhile: others run then. */
static int l_set(lua_State *L) {
  lv_alloc *a = &lv_host_of(L)->alloc;
  bool limit = !lua_isnoneornil(L, 1);
  lua_Integer bytes = limit ? luaL_checkinteger(L, 1) : 0;
  if (a->is_limited)
    lua_pushinteger(L, (lua_Integer)a->left);
  else
    lua_pushnil(L);
  a->is_limited = limit;
  a->left = bytes > 0 ? (size_t)bytes : 0;
  return 1;
}

int lv_open_quota(lua_State *L) {
  static const luaL_Reg functions[] = {{"set", l_set}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
