/* bind/error.c — Everything that is raised from C is an error object: a table
 * with kind, message and where they apply code, op, subject. Its methods and
 * its text are Lua's (lua/luvisor/error.lua), which lends its metatable.
 * @module luvisor.core.error */
#include "bind/error.h"

#include "bind/task.h"
#include "os/signame.h"

#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <string.h>
#include <uv.h>

static const char METATABLE[] = "luvisor.error";
static const char SCOPE[] = "_scope";

enum { DEEPEST = 12 }; /* of the functions that l_where looks at */

static void push_message(lua_State *L, const char *kind, const char *message) {
  lua_createtable(L, 0, 6);
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, message);
  lua_setfield(L, -2, "message");
  lua_getfield(L, LUA_REGISTRYINDEX, METATABLE);
  lua_setmetatable(L, -2);
}

static void push_format(lua_State *L, const char *kind, const char *fmt,
                        va_list args) {
  const char *message = lua_pushvfstring(L, fmt, args);
  push_message(L, kind, message);
  lua_remove(L, -2);
}

void lv_push_error(lua_State *L, const char *kind, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  push_format(L, kind, fmt, args);
  va_end(args);
}

int lv_raise(lua_State *L, const char *kind, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  push_format(L, kind, fmt, args);
  va_end(args);
  return lua_error(L);
}

/* Push "file:line: " of the innermost call that stands in the script: our own
 * Lua between it and here only passes on what the script said. */
static void push_where(lua_State *L) {
  lua_Debug ar;
  for (int level = 1; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline <= 0 || strncmp(ar.source, "@luvisor/", 9) == 0)
      continue;
    lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
    return;
  }
  lua_pushliteral(L, "");
}

/* Wrong use is the caller's mistake: the message says where the call is. */
int lv_usage(lua_State *L, const char *fmt, ...) {
  push_where(L);
  va_list args;
  va_start(args, fmt);
  lua_pushvfstring(L, fmt, args);
  va_end(args);
  lua_concat(L, 2);
  push_message(L, "UsageError", lua_tostring(L, -1));
  return lua_error(L);
}

static const char *kind_of(int code) {
  switch (code) {
  case -EPIPE: return "BrokenPipe";
  case -ESRCH: return "NoProcess";
  case -EBADF: return "Closed";
  case -EBUSY: return "Busy";
  case -ETIMEDOUT: return "Timeout";
  default: return "OSError";
  }
}

const char *lv_errno_name(int code) {
  const char *name = strerrorname_np(-code);
  return name ? name : "unknown error";
}

void lv_push_oserror(lua_State *L, int code, const char *op,
                     const char *subject) {
  const char *name = lv_errno_name(code);
  const char *text = strerror(-code);
  if (subject)
    lv_push_error(L, kind_of(code), "%s %s: %s (%s)", op, subject, text, name);
  else
    lv_push_error(L, kind_of(code), "%s: %s (%s)", op, text, name);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "code");
  lua_pushstring(L, op);
  lua_setfield(L, -2, "op");
  lua_pushstring(L, subject);
  lua_setfield(L, -2, "subject");
}

int lv_raise_os(lua_State *L, int code, const char *op, const char *subject) {
  if (code == -ENOMEM) return luaL_error(L, "not enough memory");
  lv_push_oserror(L, code, op, subject);
  return lua_error(L);
}

void lv_push_cancelled(lua_State *L, uint64_t scope_id) {
  push_message(L, "Cancelled", "cancelled");
  lua_pushinteger(L, (lua_Integer)scope_id);
  lua_setfield(L, -2, SCOPE);
}

bool lv_is_error(lua_State *L, int idx) {
  if (!lua_istable(L, idx) || !lua_getmetatable(L, idx)) return false;
  lua_getfield(L, LUA_REGISTRYINDEX, METATABLE);
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

uint64_t lv_cancelled_scope(lua_State *L, int idx) {
  if (!lv_is_error(L, idx)) return 0;
  idx = lua_absindex(L, idx);
  lua_pushstring(L, SCOPE);
  lua_rawget(L, idx);
  uint64_t id = (uint64_t)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return id;
}

lua_Number lv_check_seconds(lua_State *L, int arg, const char *what) {
  int is_number;
  lua_Number s = lua_tonumberx(L, arg, &is_number);
  if (lua_type(L, arg) != LUA_TNUMBER || !is_number)
    lv_usage(L, "%s must be a number of seconds, got %s", what,
             luaL_typename(L, arg));
  if (isnan(s) || s < 0)
    lv_usage(L, "%s must not be negative, got %f", what, s);
  return s;
}

lua_Integer lv_check_size(lua_State *L, int arg, const char *what) {
  int is_integer;
  lua_Integer n = lua_tointegerx(L, arg, &is_integer);
  if (lua_type(L, arg) != LUA_TNUMBER || !is_integer)
    lv_usage(L, "%s must be an integer, got %s", what,
             luaL_tolstring(L, arg, 0));
  return n;
}

int lv_check_signal(lua_State *L, int arg) {
  lua_Integer signum = -1;
  if (lua_isinteger(L, arg))
    signum = lua_tointeger(L, arg);
  else if (lua_type(L, arg) == LUA_TSTRING)
    signum = lv_signame_parse(lua_tostring(L, arg));
  if (signum < 0 || signum > 64)
    lv_usage(L, "no such signal: %s (a signal is \"TERM\", \"SIGTERM\" or 15)",
             luaL_tolstring(L, arg, NULL));
  return (int)signum;
}

void lv_check_callable(lua_State *L, int arg, const char *what) {
  if (lua_isfunction(L, arg)) return;
  if (!lua_isnone(L, arg) && luaL_getmetafield(L, arg, "__call") != LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  lv_usage(L, "%s, got %s", what, luaL_typename(L, arg));
}

/*** error.set_metatable(mt)
 * What every error object gets from now on. */
static int l_set_metatable(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, METATABLE);
  return 0;
}

/*** error.is_cancellation(value) -> boolean
 * Whether it is the cancellation of a scope around the calling task. */
static int l_is_cancellation(lua_State *L) {
  lua_pushboolean(L, lv_task_is_leaving(L, 1));
  return 1;
}

/*** error.strerror(errno) -> string */
static int l_strerror(lua_State *L) {
  lua_pushstring(L, strerror((int)luaL_checkinteger(L, 1)));
  return 1;
}

/*** error.where(own) -> string | nil
 * "file:line" of the innermost Lua function on the stack whose source's name
 * does not begin with `own`. Without the tables that debug.getinfo makes. */
static int l_where(lua_State *L) {
  size_t n;
  const char *own = luaL_checklstring(L, 1, &n);
  lua_Debug ar;
  for (int level = 1; level <= DEEPEST; level++) {
    if (!lua_getstack(L, level, &ar)) return 0;
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline <= 0 || strncmp(ar.source, own, n) == 0) continue;
    lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
    return 1;
  }
  return 0;
}

/* A text that is kept need not be allocated where it is asked for. */
static void keep(lua_State *L, const char *text) {
  lua_pushstring(L, text);
  lua_rawsetp(L, LUA_REGISTRYINDEX, text);
}

int lv_open_error(lua_State *L) {
  static const luaL_Reg functions[] = {{"set_metatable", l_set_metatable},
                                       {"is_cancellation", l_is_cancellation},
                                       {"strerror", l_strerror},
                                       {"where", l_where},
                                       {NULL, NULL}};
  keep(L, SCOPE);
  luaL_newlib(L, functions);
  return 1;
}
