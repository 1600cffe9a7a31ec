/* bind/modules.c — See modules.h. */
#include "bind/modules.h"

#include "bind/coroutine.h"
#include "bind/embedded.h"
#include "bind/error.h"
#include "bind/scope.h"
#include "bind/task.h"

#include <lauxlib.h>
#include <lua-cjson.h>
#include <stdlib.h>
#include <string.h>

static int open_protect(lua_State *L) {
  lua_pushcfunction(L, lv_l_try);
  return 1;
}

static const luaL_Reg core[] = {
    {"luvisor.core.cjson", luaopen_cjson},
    {"luvisor.core.clockset", lv_open_clockset},
    {"luvisor.core.codec", lv_open_codec},
    {"luvisor.core.control", lv_open_control},
    {"luvisor.core.curl", lv_open_curl},
    {"luvisor.core.error", lv_open_error},
    {"luvisor.core.expect", lv_open_expect},
    {"luvisor.core.fs", lv_open_fs},
    {"luvisor.core.http", lv_open_http},
    {"luvisor.core.net", lv_open_net},
    {"luvisor.core.guard", lv_open_guard},
    {"luvisor.core.notify", lv_open_notify},
    {"luvisor.core.os", lv_open_os},
    {"luvisor.core.pool", lv_open_pool},
    {"luvisor.core.process", lv_open_process},
    {"luvisor.core.proctree", lv_open_proctree},
    {"luvisor.core.quota", lv_open_quota},
    {"luvisor.core.scope", lv_open_scope},
    {"luvisor.core.signal", lv_open_signal},
    {"luvisor.core.sink", lv_open_sink},
    {"luvisor.core.stream", lv_open_stream},
    {"luvisor.core.task", lv_open_task},
    {"luvisor.core.terminal", lv_open_terminal},
    {"luvisor.core.time", lv_open_time},
    {"luvisor.core.try", open_protect},
};

static int compare(const void *key, const void *module) {
  return strcmp(key, ((const lv_embedded *)module)->name);
}

/* "luvisor.task" → DIR/luvisor/task.lua, "luvisor" → DIR/luvisor/init.lua */
static bool load_override(lua_State *L, const char *name) {
  const char *dir = getenv("LUVISOR_LUA");
  if (dir == NULL || strncmp(name, "luvisor", 7) != 0) return false;
  const char *path = strcmp(name, "luvisor") == 0 ? "luvisor/init" : name;
  path = luaL_gsub(L, path, ".", "/");
  lua_pushfstring(L, "%s/%s.lua", dir, path);
  int status = luaL_loadfile(L, lua_tostring(L, -1));
  if (status == LUA_ERRFILE) return false;
  if (status != LUA_OK) lua_error(L);
  return true;
}

static int search(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  if (load_override(L, name)) return 1;
  const lv_embedded *m =
      bsearch(name, lv_embedded_modules, lv_embedded_count, sizeof *m, compare);
  if (m == NULL) {
    lua_pushfstring(L, "no module '%s' in luvisor itself", name);
    return 1;
  }
  if (luaL_loadbufferx(L, (const char *)m->bytes, m->size, name, "b") != LUA_OK)
    return lua_error(L);
  return 1;
}

void lv_install_modules(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (size_t i = 0; i < sizeof core / sizeof *core; i++) {
    lua_pushcfunction(L, core[i].func);
    lua_setfield(L, -2, core[i].name);
  }
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchers");
  for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i >= 2; i--) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushcfunction(L, search);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 3);
}
