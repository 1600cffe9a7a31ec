/* bind/coroutine.c — A generator that waits suspends its task, not its caller.
 *
 * The task sleeps in the innermost coroutine, which yields with nothing. Our
 * resume sees that the task is no longer running, and yields itself, outward,
 * with a continuation that resumes again; so the sleep reaches the task's own
 * coroutine. Meanwhile the generator is neither suspended nor dead for the
 * script: status says "normal", resume and close refuse it.
 * @module luvisor.core.coroutine */
#include "bind/coroutine.h"

#include "bind/error.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

static uintptr_t slot(lua_State *L) {
  uintptr_t value;
  memcpy(&value, lua_getextraspace(L), sizeof value);
  return value;
}

lv_task *lv_slot_task(lua_State *L) {
  return (lv_task *)(slot(L) & ~(uintptr_t)1);
}

bool lv_slot_may_wait(lua_State *L) {
  return (slot(L) & 1) == 0;
}

void lv_slot_set(lua_State *L, lv_task *t, bool may_wait) {
  uintptr_t value = (uintptr_t)t | (t && !may_wait ? 1 : 0);
  memcpy(lua_getextraspace(L), &value, sizeof value);
}

/* A state that runs for a task is running, normal or waiting. */
static bool is_active(lua_State *co) {
  return lv_slot_task(co) != NULL;
}

static bool is_task_body(lua_State *L) {
  lv_task *t = lv_slot_task(L);
  return t && t->co == L;
}

static lua_State *check_co(lua_State *L, int arg) {
  lua_State *co = lua_tothread(L, arg);
  luaL_argexpected(L, co, arg, "coroutine");
  return co;
}

static const char *status_of(lua_State *L, lua_State *co) {
  if (L == co) return "running";
  if (is_active(co)) return "normal";
  switch (lua_status(co)) {
  case LUA_YIELD: return "suspended";
  case LUA_OK: break;
  default: return "dead";
  }
  lua_Debug ar;
  if (lua_getstack(co, 0, &ar)) return "normal";
  return lua_gettop(co) == 0 ? "dead" : "suspended";
}

/* An error of the generator, on top of L: a cancellation of the task passes
 * through resume as it passes through pcall. */
static bool is_ours(lua_State *L) {
  uint64_t id = lv_cancelled_scope(L, -1);
  lv_task *t = lv_slot_task(L);
  return id != 0 && t && lv_scope_is_above(t->scope, id);
}

typedef int (*done_fn)(lua_State *L, lua_State *co, bool ok, int n);

/* Run co until it yields to the script, ends or fails: then `done` makes the
 * results. If it waits, so do we. */
static int drive(lua_State *L, lua_State *co, int nargs, lua_KFunction k,
                 done_fn done) {
  int n;
  int status = lua_resume(co, L, nargs, &n);
  lv_task *t = lv_slot_task(co);
  if (status == LUA_YIELD && t && t->state != LV_RUNNING)
    return lua_yieldk(L, 0, 0, k);
  lv_slot_set(co, NULL, false);
  bool ok = status == LUA_OK || status == LUA_YIELD;
  if (!ok) n = 1;
  if (!lua_checkstack(L, n + 1)) {
    lua_pop(co, n);
    return luaL_error(L, "too many results to resume");
  }
  lua_xmove(co, L, n);
  return done(L, co, ok, n);
}

/* Arguments on top of L, their number. Raises nothing: false and a message. */
static bool start(lua_State *L, lua_State *co, int nargs) {
  const char *status = status_of(L, co);
  if (strcmp(status, "suspended") != 0) {
    lua_pushfstring(L, "cannot resume %s coroutine",
                    *status == 'd' ? "dead" : "non-suspended");
    return false;
  }
  if (!lua_checkstack(co, nargs)) {
    lua_pushliteral(L, "too many arguments to resume");
    return false;
  }
  lua_xmove(L, co, nargs);
  lv_slot_set(co, lv_slot_task(L), lv_slot_may_wait(L) && lua_isyieldable(L));
  return true;
}

static int resume_done(lua_State *L, lua_State *co, bool ok, int n) {
  (void)co;
  if (!ok && is_ours(L)) return lua_error(L);
  lua_pushboolean(L, ok);
  lua_insert(L, -(n + 1));
  return n + 1;
}

static int resume_again(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return drive(L, lua_tothread(L, 1), 0, resume_again, resume_done);
}

/*** coroutine.resume(co, ...) -> true, values… | false, error
 * As Lua's; what waits inside co suspends the calling task, and a cancellation
 * of that task passes through. */
static int l_resume(lua_State *L) {
  lua_State *co = check_co(L, 1);
  int nargs = lua_gettop(L) - 1;
  if (!start(L, co, nargs)) {
    lua_pushboolean(L, false);
    lua_insert(L, -2);
    return 2;
  }
  return drive(L, co, nargs, resume_again, resume_done);
}

/* As Lua's auxwrap: the failed coroutine is closed, and a text says where. */
static int wrap_done(lua_State *L, lua_State *co, bool ok, int n) {
  if (ok) return n;
  if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD) {
    int status = lua_resetthread(co);
    if (status != LUA_OK) {
      lua_pop(L, 1);
      lua_xmove(co, L, 1);
    }
  }
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int wrap_again(lua_State *L, int status, lua_KContext ctx) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  (void)status, (void)ctx;
  return drive(L, co, 0, wrap_again, wrap_done);
}

static int call_wrapped(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  int nargs = lua_gettop(L);
  if (!start(L, co, nargs)) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
    return lua_error(L);
  }
  return drive(L, co, nargs, wrap_again, wrap_done);
}

/*** coroutine.wrap(fn) -> function
 * As Lua's; what waits inside suspends the calling task. */
static int l_wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lv_slot_set(co, NULL, false);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, call_wrapped, 1);
  return 1;
}

/*** coroutine.create(fn) -> thread */
static int l_create(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lv_slot_set(co, NULL, false);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  return 1;
}

/*** coroutine.yield(...) -> values
 * As Lua's, in a coroutine of the script; elsewhere UsageError: tasks wait by
 * calling what waits. */
static int l_yield(lua_State *L) {
  if (is_task_body(L))
    return lv_usage(L, "coroutine.yield outside a coroutine of the script "
                       "(task.checkpoint() lets other tasks run)");
  return lua_yield(L, lua_gettop(L));
}

/*** coroutine.status(co) -> string
 * As Lua's; a coroutine in which its task waits is "normal". */
static int l_status(lua_State *L) {
  lua_pushstring(L, status_of(L, check_co(L, 1)));
  return 1;
}

/*** coroutine.close(co) -> true | false, error */
static int l_close(lua_State *L) {
  lua_State *co = check_co(L, 1);
  const char *status = status_of(L, co);
  if (strcmp(status, "suspended") != 0 && strcmp(status, "dead") != 0)
    return luaL_error(L, "cannot close a %s coroutine", status);
  int rc = lua_resetthread(co);
  lua_pushboolean(L, rc == LUA_OK);
  if (rc == LUA_OK) return 1;
  lua_xmove(co, L, 1);
  return 2;
}

/*** coroutine.running() -> thread, boolean
 * true in the body of a task, which is no coroutine of the script. */
static int l_running(lua_State *L) {
  bool main = lua_pushthread(L);
  lua_pushboolean(L, main || is_task_body(L));
  return 2;
}

/*** coroutine.isyieldable([co]) -> boolean */
static int l_isyieldable(lua_State *L) {
  lua_State *co = lua_isnone(L, 1) ? L : check_co(L, 1);
  lua_pushboolean(L, lua_isyieldable(co) && !is_task_body(co));
  return 1;
}

void lv_patch_coroutine(lua_State *L) {
  static const luaL_Reg functions[] = {{"create", l_create},
                                       {"resume", l_resume},
                                       {"wrap", l_wrap},
                                       {"yield", l_yield},
                                       {"status", l_status},
                                       {"close", l_close},
                                       {"running", l_running},
                                       {"isyieldable", l_isyieldable},
                                       {NULL, NULL}};
  lua_getglobal(L, "coroutine");
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}
