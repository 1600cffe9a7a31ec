/* bind/tasklib.c — Tasks as Lua sees them: the class and its functions. What
 * is made of them is lua/luvisor/task.lua's; the machinery is task.c's.
 * @module luvisor.core.task */
#include "bind/coroutine.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/task.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

static lv_task *check_object(lua_State *L, int arg) {
  lv_task *t = luaL_testudata(L, arg, LV_TASK);
  if (t == NULL) lv_usage(L, "expected a task, got %s", luaL_typename(L, arg));
  return t;
}

/* Push the name that the task at idx was given, or where its function is. */
static void push_name(lua_State *L, int idx) {
  lua_Debug ar = {.short_src = "[object]"};
  int type = lua_getiuservalue(L, idx, LV_TASK_NAMER);
  if (type == LUA_TSTRING) return;
  if (type == LUA_TFUNCTION)
    lua_getinfo(L, ">S", &ar);
  else
    lua_pop(L, 1);
  if (ar.linedefined > 0)
    lua_pushfstring(L, "%s:%d", ar.short_src, ar.linedefined);
  else
    lua_pushstring(L, ar.short_src);
}

/* "task 3 (name": the caller goes on. */
static void push_title(lua_State *L, int idx, const lv_task *t) {
  push_name(L, idx);
  lua_pushfstring(L, "task %d (%s", (int)t->id, luaL_tolstring(L, -1, NULL));
  lua_replace(L, -3);
  lua_pop(L, 1);
}

static const char *state_name(const lv_task *t) {
  static const char *const names[] = {"ready", "running", "waiting", "done"};
  if (t->state == LV_DONE && t->failed)
    return lv_cancelled_scope(t->co, -1) ? "cancelled" : "failed";
  return names[t->state];
}

/* A task that was cancelled raises Cancelled as an ordinary error: it is not
 * the caller that was. Stack: task, … */
static int raise_its_cancellation(lua_State *L, lv_task *t) {
  push_title(L, 1, t);
  lv_push_error(L, "Cancelled", "%s) was cancelled", lua_tostring(L, -1));
  lua_pushvalue(t->co, -1);
  lua_getfield(t->co, -1, "reason");
  lua_xmove(t->co, L, 1);
  lua_pop(t->co, 1);
  lua_setfield(L, -2, "reason");
  return lua_error(L);
}

/* Stack: task, … → results of the ended task; or its error is raised. */
static int push_outcome(lua_State *L, lv_task *t) {
  if (t->co == NULL) {
    if (t->has_result) lua_getiuservalue(L, 1, LV_TASK_RESULT);
    return t->has_result;
  }
  if (!t->failed) {
    int n = lua_gettop(t->co);
    if (!lua_checkstack(L, n) || !lua_checkstack(t->co, n))
      return luaL_error(L, "too many results");
    for (int i = 1; i <= n; i++)
      lua_pushvalue(t->co, i);
    lua_xmove(t->co, L, n);
    return n;
  }
  if (lv_cancelled_scope(t->co, -1)) return raise_its_cancellation(L, t);
  lua_pushvalue(t->co, -1);
  lua_xmove(t->co, L, 1);
  return lua_error(L);
}

static int join_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *me = lv_task_of(L);
  (void)status, (void)ctx;
  if (me->status == -ECANCELED) return lv_raise_cancelled(L, me);
  return push_outcome(L, check_object(L, 1));
}

/*** t:join() -> values
 * Wait for the task to end and return what its function returned. Raises its
 * error, Cancelled if it was cancelled, Deadlock when it waits for itself. Any
 * number of tasks may join one. */
static int l_join(lua_State *L) {
  lv_task *t = check_object(L, 1);
  lua_settop(L, 1);
  if (t->state == LV_DONE) return push_outcome(L, t);
  lv_task *me = lv_task_check(L);
  if (me == t) return lv_raise(L, "Deadlock", "a task cannot join itself");
  lv_list_push(&t->joiners, &me->link);
  return lv_park(L, me, "a task to end", NULL, lv_abort_unlink, join_done);
}

/*** t:cancel([reason])
 * Raise Cancelled in the task at the point where it waits, and at each later
 * one. Never waits; harmless when it has ended. */
static int l_cancel(lua_State *L) {
  lv_task *t = check_object(L, 1);
  if (t->state == LV_DONE) return 0;
  if (t->own.reason == LUA_NOREF && !lua_isnoneornil(L, 2)) {
    lua_settop(L, 2);
    t->own.reason = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lv_scope_cancel(&t->own);
  return 0;
}

/* The stack of the task, after that of the generator in which it is. */
static void push_stack(lua_State *L, lv_task *t) {
  if (t->co == NULL) {
    lua_pushliteral(L, "stack traceback:");
    return;
  }
  bool inside = t->state != LV_DONE && t->at && t->at != t->co;
  if (inside) luaL_traceback(L, t->at, NULL, 0);
  luaL_traceback(L, t->co, inside ? "resumed by" : NULL, 0);
  if (!inside) return;
  lua_pushliteral(L, "\n");
  lua_insert(L, -2);
  lua_concat(L, 3);
}

/*** t:traceback() -> string
 * Where the task is: its stack, outermost last. */
static int l_traceback(lua_State *L) {
  push_stack(L, check_object(L, 1));
  return 1;
}

/* Fields: name, state, id; methods. */
static int l_index(lua_State *L) {
  lv_task *t = check_object(L, 1);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(key, "name") == 0)
    push_name(L, 1);
  else if (strcmp(key, "state") == 0)
    lua_pushstring(L, state_name(t));
  else if (strcmp(key, "id") == 0)
    lua_pushinteger(L, t->id);
  return 1;
}

static int l_newindex(lua_State *L) {
  check_object(L, 1);
  const char *key = luaL_tolstring(L, 2, NULL);
  if (strcmp(key, "name") != 0)
    return lv_usage(L, "a task has no field \"%s\" that can be set", key);
  if (lua_type(L, 3) != LUA_TSTRING)
    return lv_usage(L, "a task's name must be a string, got %s",
                    luaL_typename(L, 3));
  lua_settop(L, 3);
  lua_setiuservalue(L, 1, LV_TASK_NAMER);
  return 0;
}

static int l_tostring(lua_State *L) {
  lv_task *t = check_object(L, 1);
  push_title(L, 1, t);
  lua_pushfstring(L, "%s, %s)", lua_tostring(L, -1), state_name(t));
  return 1;
}

/*** task.current() -> Task | nil */
static int l_current(lua_State *L) {
  lv_task *t = lv_slot_task(L);
  if (t)
    lv_task_push(L, t);
  else
    lua_pushnil(L);
  return 1;
}

static lv_scope *nearest_nursery(lv_scope *s) {
  while (s && !s->nursery)
    s = s->parent;
  return s;
}

/*** task.spawn(fn, ...) -> Task
 * In the nearest nursery around the calling task. */
static int l_spawn(lua_State *L) {
  lv_task *t = lv_slot_task(L);
  lv_scope *s = t ? nearest_nursery(t->scope) : &lv_host_of(L)->root;
  if (s == NULL || !s->live)
    return lv_raise(L, "Closed", "spawn: the program is ending");
  lv_check_callable(L, 1, "spawn: expected a function");
  lv_task_spawn(L, s, lua_gettop(L) - 1);
  return 1;
}

/*** task.spawn_root(fn, ...) -> Task
 * In the root nursery, whatever the calling task is in. */
static int l_spawn_root(lua_State *L) {
  lv_scope *root = &lv_host_of(L)->root;
  if (!root->live) return lv_raise(L, "Closed", "spawn: the program is ending");
  lv_check_callable(L, 1, "spawn: expected a function");
  lv_task_spawn(L, root, lua_gettop(L) - 1);
  return 1;
}

static int spawn_apart(lua_State *L, lv_scope *scope) {
  lv_check_callable(L, 1, "detached: expected a function");
  if (!scope->live)
    return lv_raise(L, "Closed", "detached: the program is ending");
  lv_task_spawn(L, scope, lua_gettop(L) - 1);
  return 1;
}

/*** task.detached(fn, ...) -> Task
 * In no nursery: its error is printed, and cancels nobody; the program does not
 * wait for it, but cancels it when all else has ended. */
static int l_detached(lua_State *L) {
  return spawn_apart(L, &lv_host_of(L)->background);
}

/*** task.lasting(fn, ...) -> Task
 * The same, but what is given to at_exit finds it still at work: it is cancelled
 * after that. */
static int l_lasting(lua_State *L) {
  return spawn_apart(L, &lv_host_of(L)->lasting);
}

static int park_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  lua_pushboolean(L, t->status == 0);
  lv_task_push(L, t);
  lua_getiuservalue(L, -1, LV_TASK_WOKEN_WITH);
  lua_pushnil(L);
  lua_setiuservalue(L, -3, LV_TASK_WOKEN_WITH);
  lua_remove(L, -2);
  return 2;
}

static lv_abort abort_park(lv_task *t, void *op) {
  (void)t, (void)op;
  return LV_STOPPED;
}

/*** task.park([why]) -> true, value | false
 * Sleep until task.wake; false: cancelled. For what is built of it in Lua. */
static int l_park(lua_State *L) {
  const char *why = luaL_optstring(L, 1, "a wake-up");
  lv_task *t = lv_task_check_waitable(L);
  if (lv_task_is_cancelled(t)) {
    lua_pushboolean(L, false);
    return 1;
  }
  return lv_park(L, t, why, NULL, abort_park, park_done);
}

/*** task.wake(t, value) -> boolean
 * false: it was not parked by task.park, or is woken or cancelled already. */
static int l_wake(lua_State *L) {
  lv_task *t = check_object(L, 1);
  bool parked = t->state == LV_PARKED && t->abort == abort_park;
  if (parked) {
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, LV_TASK_WOKEN_WITH);
    lv_wake(t, 0);
  }
  lua_pushboolean(L, parked);
  return 1;
}

/*** task.raise_cancelled()
 * Raise the cancellation that the calling task is under. */
static int l_raise_cancelled(lua_State *L) {
  return lv_raise_cancelled(L, lv_task_check_waitable(L));
}

/*** task.is_cancelled() -> boolean
 * Whether the next wait of the calling task raises. */
static int l_is_cancelled(lua_State *L) {
  const lv_task *t = lv_slot_task(L);
  lua_pushboolean(L, t && lv_task_is_cancelled(t));
  return 1;
}

/*** task.cancel_once(t[, reason]) -> boolean
 * asyncio's cancellation: raise Cancelled once in the task, where it waits or at
 * its next wait outside shields; later waits are as before. pcall lets it pass,
 * task.catch does not. false: the task has ended. Never waits. */
static int l_cancel_once(lua_State *L) {
  lv_task *t = check_object(L, 1);
  lua_settop(L, 2);
  bool runs = t->state != LV_DONE;
  if (runs) lv_task_cancel_once(L, t);
  lua_pushboolean(L, runs);
  return 1;
}

/*** task.uncancel(t) -> boolean
 * Take a cancel_once back that has not been raised; whether there was one. */
static int l_uncancel(lua_State *L) {
  lv_task *t = check_object(L, 1);
  lua_pushboolean(L, t->once_pending);
  t->once_pending = false;
  return 1;
}

/*** task.is_shielded(t) -> boolean
 * Whether a cancel_once would be felt only after a shield that it is in. */
static int l_is_shielded(lua_State *L) {
  const lv_task *t = check_object(L, 1);
  lua_pushboolean(L, t->state != LV_DONE && lv_task_is_shielded(t));
  return 1;
}

static int wait_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  return t->status == -ECANCELED ? lv_raise_cancelled(L, t) : 0;
}

static int checkpoint_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  return lv_task_is_cancelled(t) ? lv_raise_cancelled(L, t) : 0;
}

/*** task.checkpoint()
 * Let the other ready tasks and the loop have a turn. */
static int l_checkpoint(lua_State *L) {
  return lv_pause(L, lv_task_check(L), checkpoint_done);
}

static void on_timer(lv_timer *timer) {
  lv_wake(LV_OF(timer, lv_task, timer), 0);
}

static lv_abort abort_sleep(lv_task *t, void *op) {
  (void)op;
  lv_timer_stop(&t->host->rt.timers, &t->timer);
  return LV_STOPPED;
}

/*** task.sleep(seconds)
 * Suspend the calling task, never for less; 0 is a checkpoint. */
static int l_sleep(lua_State *L) {
  lua_Number seconds = lv_check_seconds(L, 1, "sleep");
  lv_task *t = lv_task_check(L);
  if (seconds == 0) return lv_pause(L, t, checkpoint_done);
  t->timer.fn = on_timer;
  if (lv_timer_start(&t->host->rt.timers, &t->timer, seconds) < 0)
    return luaL_error(L, "not enough memory");
  return lv_park(L, t, "a time to come", NULL, abort_sleep, wait_done);
}

/*** task.list() -> list of Task
 * All that have not ended, oldest first. */
static int l_list(lua_State *L) {
  lv_host *host = lv_host_of(L);
  lua_newtable(L);
  lua_Integer n = 0;
  for (lv_list *at = host->tasks.next; at != &host->tasks; at = at->next) {
    lv_task_push(L, LV_OF(at, lv_task, all));
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/*** task.count() -> integer */
static int l_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)lv_host_of(L)->ntasks);
  return 1;
}

/* Push the paragraph of a dump that tells of one task. */
static void push_account(lua_State *L, lv_task *t) {
  bool parked = t->state == LV_PARKED;
  lv_task_push(L, t);
  push_title(L, -1, t);
  lua_pushfstring(L, "%s) %s%s%s%s\n", lua_tostring(L, -1), state_name(t),
                  parked ? " for " : "", parked ? t->why : "",
                  t->scope->effective ? ", cancelled" : "");
  push_stack(L, t);
  lua_pushliteral(L, "\n");
  lua_concat(L, 3);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

void lv_push_dump(lua_State *L, lv_host *host) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (lv_list *at = host->tasks.next; at != &host->tasks; at = at->next) {
    push_account(L, LV_OF(at, lv_task, all));
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
}

/*** task.dump() -> string
 * Every task: its state, what it waits for, its stack. */
static int l_dump(lua_State *L) {
  lv_push_dump(L, lv_host_of(L));
  return 1;
}

/*** task.keep_traceback(err) -> err
 * For xpcall: notes in the error where it was raised. */
static int l_keep_traceback(lua_State *L) {
  return lv_traceback(L);
}

void lv_make_task_class(lua_State *L) {
  static const luaL_Reg methods[] = {{"join", l_join},
                                     {"cancel", l_cancel},
                                     {"traceback", l_traceback},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__newindex", l_newindex}, {"__tostring", l_tostring}, {NULL, NULL}};
  luaL_newmetatable(L, LV_TASK);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &lv_task_class);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_pushcclosure(L, l_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

int lv_open_task(lua_State *L) {
  static const luaL_Reg functions[] = {{"current", l_current},
                                       {"spawn", l_spawn},
                                       {"detached", l_detached},
                                       {"lasting", l_lasting},
                                       {"spawn_root", l_spawn_root},
                                       {"park", l_park},
                                       {"wake", l_wake},
                                       {"raise_cancelled", l_raise_cancelled},
                                       {"is_cancelled", l_is_cancelled},
                                       {"cancel_once", l_cancel_once},
                                       {"uncancel", l_uncancel},
                                       {"is_shielded", l_is_shielded},
                                       {"catch", lv_l_catch},
                                       {"fairly", lv_l_fairly},
                                       {"checkpoint", l_checkpoint},
                                       {"sleep", l_sleep},
                                       {"list", l_list},
                                       {"count", l_count},
                                       {"dump", l_dump},
                                       {"keep_traceback", l_keep_traceback},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  lv_add_host_functions(L);
  return 1;
}
