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

/* In a slot: a task, perhaps with CANNOT_WAIT; or, while the coroutine is
 * suspended inside scopes, the innermost of these with IS_SCOPE; or ENDED, for
 * the body of a task that has, whose stack holds its results. */
enum { CANNOT_WAIT = 1, IS_SCOPE = 2, ENDED = 4 };

static uintptr_t slot(lua_State *L) {
  uintptr_t value;
  memcpy(&value, lua_getextraspace(L), sizeof value);
  return value;
}

static void set_slot(lua_State *L, uintptr_t value) {
  memcpy(lua_getextraspace(L), &value, sizeof value);
}

lv_task *lv_slot_task(lua_State *L) {
  uintptr_t value = slot(L);
  if (value & (IS_SCOPE | ENDED)) return NULL;
  return (lv_task *)(value & ~(uintptr_t)CANNOT_WAIT);
}

bool lv_slot_may_wait(lua_State *L) {
  return (slot(L) & CANNOT_WAIT) == 0;
}

void lv_slot_set(lua_State *L, lv_task *t, bool may_wait) {
  set_slot(L, (uintptr_t)t | (t && !may_wait ? CANNOT_WAIT : 0));
}

void lv_slot_end(lua_State *L) {
  set_slot(L, ENDED);
}

static lv_scope *slot_scope(lua_State *co) {
  uintptr_t value = slot(co);
  return value & IS_SCOPE ? (lv_scope *)(value & ~(uintptr_t)IS_SCOPE) : NULL;
}

static void set_slot_scope(lua_State *co, lv_scope *s) {
  set_slot(co, s ? (uintptr_t)s | IS_SCOPE : 0);
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
  if (slot(co) == ENDED) return "dead";
  switch (lua_status(co)) {
  case LUA_YIELD: return "suspended";
  case LUA_OK: break;
  default: return "dead";
  }
  lua_Debug ar;
  if (lua_getstack(co, 0, &ar)) return "normal";
  return lua_gettop(co) == 0 ? "dead" : "suspended";
}

/* Close the variables of a coroutine that is suspended or dead, here and now:
 * nothing can wait in there (lua_resetthread has no continuation). False: the
 * error of one, or the one that it died of, is left on top of co. */
static bool close_thread(lua_State *L, lua_State *co) {
  if (slot(co) == ENDED) return true;
  lv_scope *inside = slot_scope(co);
  if (inside) lv_scope_abandon(inside);
  lv_slot_set(co, lv_slot_task(L), false);
  int status = lua_resetthread(co);
  lv_slot_set(co, NULL, false);
  return status == LUA_OK;
}

/* The same for one that failed: its error is known. */
static void discard(lua_State *L, lua_State *co) {
  if (!close_thread(L, co)) lua_pop(co, 1);
}

typedef int (*done_fn)(lua_State *L, lua_State *co, bool ok, int n);

/* The task leaves the coroutine. If that is suspended, the scopes that it is in
 * (those since `base`) stay with it; else it has left them all. */
static void disembark(lua_State *co, lv_task *t, lv_scope *base, int status) {
  lv_slot_set(co, NULL, false);
  if (t == NULL || t->scope == base) return;
  if (status == LUA_YIELD)
    set_slot_scope(co, lv_scope_detach(t, base));
  else
    while (t->scope != base)
      lv_scope_leave(t->scope); /* out of memory */
}

/* Run co until it yields to the script, ends or fails: then `done` makes the
 * results. If it waits, so do we. */
static int drive(lua_State *L, lua_State *co, int nargs, lua_KContext base,
                 lua_KFunction k, done_fn done) {
  int n;
  int status = lua_resume(co, L, nargs, &n);
  lv_task *t = lv_slot_task(co);
  if (status == LUA_YIELD && t && t->state != LV_RUNNING)
    return lua_yieldk(L, 0, base, k);
  disembark(co, t, (lv_scope *)base, status);
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
  lv_task *t = lv_slot_task(L);
  bool may_wait = t && lv_slot_may_wait(L) && lua_isyieldable(L);
  lv_scope *inside = slot_scope(co);
  if (strcmp(status, "suspended") != 0) {
    lua_pushfstring(L, "cannot resume %s coroutine",
                    *status == 'd' ? "dead" : "non-suspended");
    return false;
  }
  if (inside && !may_wait) {
    lua_pushliteral(L, "cannot resume here a coroutine inside a nursery or a "
                       "time limit: nothing can wait here");
    return false;
  }
  if (!lua_checkstack(co, nargs)) {
    lua_pushliteral(L, "too many arguments to resume");
    return false;
  }
  lua_xmove(L, co, nargs);
  if (inside) lv_scope_attach(inside, t);
  lv_slot_set(co, t, may_wait);
  return true;
}

/* The scope that the task is in, as what to come back to. */
static lua_KContext here(lua_State *L) {
  const lv_task *t = lv_slot_task(L);
  return t ? (lua_KContext)t->scope : 0;
}

static int resume_done(lua_State *L, lua_State *co, bool ok, int n) {
  if (!ok && lv_task_is_leaving(L, -1)) {
    discard(L, co);
    return lua_error(L);
  }
  lua_pushboolean(L, ok);
  lua_insert(L, -(n + 1));
  return n + 1;
}

static int resume_again(lua_State *L, int status, lua_KContext base) {
  (void)status;
  return drive(L, lua_tothread(L, 1), 0, base, resume_again, resume_done);
}

/*** coroutine.resume(co, ...) -> true, values… | false, error
 * As Lua's; what waits inside co suspends the calling task, and a cancellation
 * of that task passes through. */
static int l_resume(lua_State *L) {
  lua_State *co = check_co(L, 1);
  int nargs = lua_gettop(L) - 1;
  lua_KContext base = here(L);
  if (!start(L, co, nargs)) {
    lua_pushboolean(L, false);
    lua_insert(L, -2);
    return 2;
  }
  return drive(L, co, nargs, base, resume_again, resume_done);
}

/* As Lua's auxwrap: a text says where. */
static int wrap_done(lua_State *L, lua_State *co, bool ok, int n) {
  if (ok) return n;
  if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD) discard(L, co);
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int wrap_again(lua_State *L, int status, lua_KContext base) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  (void)status;
  return drive(L, co, 0, base, wrap_again, wrap_done);
}

static int call_wrapped(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  int nargs = lua_gettop(L);
  lua_KContext base = here(L);
  if (!start(L, co, nargs)) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
    return lua_error(L);
  }
  return drive(L, co, nargs, base, wrap_again, wrap_done);
}

static int wrapped_done(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
  return lua_gettop(L) - 1;
}

/* The variables of a wrapped function that failed are closed in any case: here
 * they may wait. */
static int wrapped(lua_State *L) {
  lua_pushcfunction(L, lv_traceback);
  lua_insert(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 2);
  int status =
      lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, wrapped_done);
  return wrapped_done(L, status, 0);
}

/*** coroutine.wrap(fn) -> function
 * As Lua's; what waits inside suspends the calling task. */
static int l_wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lv_slot_set(co, NULL, false);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, wrapped, 1);
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
  bool ok = close_thread(L, co);
  lua_pushboolean(L, ok);
  if (ok) return 1;
  lua_xmove(co, L, 1);
  return 2;
}

/*** coroutine.running() -> thread, boolean
 * true in the body of a task, which is no coroutine of the script. */
static int l_running(lua_State *L) {
  bool main = lua_pushthread(L), is_body = is_task_body(L);
  if (is_body) lv_slot_task(L)->is_seen = true;
  lua_pushboolean(L, main || is_body);
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
