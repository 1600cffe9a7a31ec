/* bind/shell.c — io.popen and os.execute, where they may not be used.
 *
 * Nobody but Lua knows of the children that they make. Where strangers come to
 * us, who are reaped as soon as they end, such a child would look like one, and
 * its exit status be lost. (And both make all tasks wait.) */
#include "bind/error.h"
#include "bind/host.h"
#include "bind/task.h"
#include "core/strangers.h"

#include <lauxlib.h>

/* Its upvalues are Lua's own function and its name. os.execute() without a
 * command starts nothing. */
static int l_checked(lua_State *L) {
  if (!lua_isnoneornil(L, 1) && lv_strangers_come(&lv_host_of(L)->rt))
    return lv_usage(L,
                    "%s: not in a process that reaps orphans, as a supervisor "
                    "or process 1 does; use process.run or process.spawn",
                    lua_tostring(L, lua_upvalueindex(2)));
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

static void patch(lua_State *L, const char *library, const char *name) {
  lua_getglobal(L, library);
  lua_getfield(L, -1, name);
  lua_pushfstring(L, "%s.%s", library, name);
  lua_pushcclosure(L, l_checked, 2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

void lv_patch_shell(lua_State *L) {
  patch(L, "io", "popen");
  patch(L, "os", "execute");
}
