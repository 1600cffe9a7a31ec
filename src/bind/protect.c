/* bind/protect.c — pcall, xpcall and try: they catch every error but the
 * cancellation of a scope that the calling task is in. (A cancellation that a
 * script could catch by mistake would be one that it ignores by mistake.)
 * @module luvisor.core.protect */
#include "bind/coroutine.h"
#include "bind/error.h"

#include <lauxlib.h>

static bool failed(int status) {
  return status != LUA_OK && status != LUA_YIELD;
}

/* Stack: …, error → false, error */
static int caught(lua_State *L) {
  lua_pushboolean(L, false);
  lua_insert(L, -2);
  return 2;
}

/* Stack: true, results… or …, error */
static int pcall_done(lua_State *L, int status, lua_KContext skip) {
  if (!failed(status)) return lua_gettop(L) - (int)skip;
  return lv_task_is_leaving(L, -1) ? lua_error(L) : caught(L);
}

/*** pcall(fn, ...) -> true, values… | false, error
 * As Lua's, but a cancellation passes through. */
static int l_pcall(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, true);
  lua_insert(L, 1);
  int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, pcall_done);
  return pcall_done(L, status, 0);
}

/* The script's message handler, kept away from cancellations: it might turn
 * one into a string. */
static int handler(lua_State *L) {
  lua_settop(L, 1);
  if (lv_task_is_leaving(L, 1)) return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/*** xpcall(fn, handler, ...) -> true, values… | false, what handler returned
 * As Lua's, but a cancellation passes through, unseen by the handler. */
static int l_xpcall(lua_State *L) {
  luaL_checktype(L, 2, LUA_TFUNCTION);
  int n = lua_gettop(L);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, handler, 1);
  lua_replace(L, 2);
  lua_pushboolean(L, true);
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2); /* fn, handler, true, fn, args… */
  int status = lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, pcall_done);
  return pcall_done(L, status, 2);
}

static int catch_done(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  if (!failed(status)) return lua_gettop(L);
  return lv_task_is_leaving_scope(L, -1) ? lua_error(L) : caught(L);
}

/*** task.catch(fn, ...) -> true, values… | false, error
 * As pcall, but it catches the one-shot cancellation of task.cancel_once, too;
 * that of a scope passes through.
 * @module luvisor.core.task */
int lv_l_catch(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, true);
  lua_insert(L, 1);
  int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, catch_done);
  return catch_done(L, status, 0);
}

static int try_done(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  if (!failed(status)) return lua_gettop(L);
  if (lv_task_is_leaving(L, -1)) return lua_error(L);
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/*** try(fn, ...) -> values… | nil, error
 * A cancellation passes through. */
int lv_l_try(lua_State *L) {
  luaL_checkany(L, 1);
  int status = lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, try_done);
  return try_done(L, status, 0);
}

void lv_patch_pcall(lua_State *L) {
  lua_pushcfunction(L, l_pcall);
  lua_setglobal(L, "pcall");
  lua_pushcfunction(L, l_xpcall);
  lua_setglobal(L, "xpcall");
}
