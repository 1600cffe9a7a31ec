/* bind/guard.c — What a guard is given, os/guard.h.
 * @module luvisor.core.guard */
#include "os/guard.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "os/fd.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>

static const char METATABLE[] = "luvisor.GuardNotes";

typedef struct {
  int notes, watch[2]; /* -1 once closed */
} box;

/*** notes:note(slot, session)
 * The guard is to kill what is in this session; 0: the slot is free again. */
static int l_note(lua_State *L) {
  box *b = luaL_checkudata(L, 1, METATABLE);
  lua_Integer slot = luaL_checkinteger(L, 2);
  pid_t session = (pid_t)luaL_checkinteger(L, 3);
  luaL_argcheck(L, slot > 0, 2, "a slot is positive");
  if (b->notes < 0) return 0;
  int rc = lv_guard_notes_set(b->notes, (size_t)slot - 1, session);
  return rc < 0 ? lv_raise_os(L, rc, "write", "the guard's notes") : 0;
}

/*** notes:fds([lock]) -> {[number] = fd}
 * What a guard must have; lock: the descriptor of proctree.cgroup_lock. */
static int l_fds(lua_State *L) {
  const box *b = luaL_checkudata(L, 1, METATABLE);
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, b->notes);
  lua_rawseti(L, -2, LV_GUARD_NOTES);
  lua_pushinteger(L, b->watch[0]);
  lua_rawseti(L, -2, LV_GUARD_WATCHED);
  if (lua_isinteger(L, 2)) {
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, LV_GUARD_LOCK);
  }
  return 1;
}

/*** notes:close()
 * Twice is harmless. */
static int l_close(lua_State *L) {
  box *b = luaL_checkudata(L, 1, METATABLE);
  lv_fd_close(&b->notes);
  lv_fd_close(&b->watch[0]);
  lv_fd_close(&b->watch[1]);
  return 0;
}

/*** guard.open(run[, cgroup]) -> notes
 * For the processes that have LUVISOR_RUN=run in their environment, and those
 * in the folder "kill" of a cgroup. Raises OSError. */
static int l_open(lua_State *L) {
  lv_guard_notes notes = {.cgroup = ""};
  snprintf(notes.run, sizeof notes.run, "%s", luaL_checkstring(L, 1));
  snprintf(notes.cgroup, sizeof notes.cgroup, "%s", luaL_optstring(L, 2, ""));
  box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (box){-1, {-1, -1}};
  luaL_setmetatable(L, METATABLE);
  b->notes = lv_guard_notes_new(&notes);
  int rc = b->notes < 0 ? b->notes
                        : lv_guard_watch(b->watch, lv_host_of(L)->rt.pidfds);
  return rc < 0 ? lv_raise_os(L, rc, "open", "the guard's notes") : 1;
}

int lv_open_guard(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"note", l_note}, {"fds", l_fds}, {"close", l_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", l_close}, {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
  luaL_newlib(L, functions);
  lua_pushliteral(L, LV_GUARD_NAME);
  lua_setfield(L, -2, "name");
  return 1;
}
