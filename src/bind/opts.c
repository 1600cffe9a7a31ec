/* bind/opts.c — See opts.h. */
#include "bind/opts.h"

#include "bind/error.h"

#include <lauxlib.h>
#include <string.h>

lv_opts lv_opts_begin(lua_State *L, int arg) {
  luaL_checkstack(L, 20, NULL);
  arg = lua_absindex(L, arg);
  lua_newtable(L);
  return (lv_opts){.L = L, .arg = arg, .kept = lua_gettop(L)};
}

void lv_opts_keep(lv_opts *o) {
  lua_rawseti(o->L, o->kept, (lua_Integer)lua_rawlen(o->L, o->kept) + 1);
}

void *lv_opts_keep_memory(lv_opts *o, size_t size) {
  void *memory = lua_newuserdatauv(o->L, size, 0);
  lv_opts_keep(o);
  return memory;
}

char *lv_opts_keep_text(lv_opts *o, const char *what) {
  lua_State *L = o->L;
  size_t n;
  const char *s = lua_tolstring(L, -1, &n);
  bool good = s != NULL && strlen(s) == n;
  if (!good) lv_usage(L, "%s must be a string without zero bytes", what);
  lv_opts_keep(o);
  return (char *)s;
}

const char *lv_opts_text(lv_opts *o, const char *name) {
  if (lua_getfield(o->L, o->arg, name) != LUA_TNIL)
    return lv_opts_keep_text(o, name);
  lua_pop(o->L, 1);
  return NULL;
}

bool lv_opts_flag(lv_opts *o, const char *name) {
  lua_getfield(o->L, o->arg, name);
  bool on = lua_toboolean(o->L, -1);
  lua_pop(o->L, 1);
  return on;
}

lua_Integer lv_opts_integer(lv_opts *o, const char *name, lua_Integer absent) {
  bool given = lua_getfield(o->L, o->arg, name) != LUA_TNIL;
  lua_Integer n = given ? lua_tointeger(o->L, -1) : absent;
  lua_pop(o->L, 1);
  return n;
}
