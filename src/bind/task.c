/* bind/task.c — The only lua_resume of tasks, and the only lua_yieldk.
 *
 * A task is a coroutine whose body runs under lua_pcallk: so the <close>
 * variables of a failed body are closed inside the task, and may wait (a bare
 * coroutine that dies leaves them unclosed). While it lives it is anchored in
 * the registry, so no wait is ever collected.
 *
 * Which task runs on a lua_State is found in the state's extra space. The
 * scripts' own coroutines borrow it from whoever resumes them (coroutine.c);
 * its lowest bit says that a C function without continuation lies between, so
 * that nothing can wait.
 * @module luvisor.core.task */
#include "bind/task.h"

#include "bind/coroutine.h"
#include "bind/error.h"
#include "bind/host.h"

#include <assert.h>
#include <errno.h>
#include <lauxlib.h>
#include <string.h>

static const char METATABLE[] = "luvisor.task";
static const char ANCHORS[] = "luvisor.tasks";

enum { THREAD = 1, NURSERY, WOKEN_WITH, USERVALUES = WOKEN_WITH };

static lv_task *check_object(lua_State *L, int arg) {
  return luaL_checkudata(L, arg, METATABLE);
}

lv_task *lv_task_of(lua_State *L) {
  return lv_slot_task(L);
}

lv_task *lv_task_check_waitable(lua_State *L) {
  lv_task *t = lv_slot_task(L);
  if (t == NULL) lv_usage(L, "cannot wait here: not inside a task");
  if (!lv_slot_may_wait(L) || !lua_isyieldable(L))
    lv_usage(L, "cannot wait here: inside a C function that cannot be "
                "suspended (table.sort, string.gsub, require, __tostring, …)");
  return t;
}

lv_task *lv_task_check(lua_State *L) {
  lv_task *t = lv_task_check_waitable(L);
  if (t->scope->effective) lv_raise_cancelled(L, t);
  return t;
}

static const lv_scope *outermost_cancelled(const lv_scope *s) {
  const lv_scope *found = s;
  for (; s; s = s->shield ? NULL : s->parent)
    if (s->called) found = s;
  return found;
}

int lv_raise_cancelled(lua_State *L, lv_task *t) {
  const lv_scope *s = outermost_cancelled(t->scope);
  lv_push_cancelled(L, s->id);
  if (s->reason != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->reason);
    lua_setfield(L, -2, "reason");
  }
  return lua_error(L);
}

static void make_ready(lv_task *t) {
  t->state = LV_READY;
  lv_list_push(&t->host->ready, &t->link);
}

int lv_park(lua_State *L, lv_task *t, const char *why, void *op,
            lv_abort_fn abort, lua_KFunction k) {
  assert(t->state == LV_RUNNING);
  t->state = LV_PARKED;
  t->why = why;
  t->op = op;
  t->abort = abort;
  t->status = 0;
  lua_KContext ctx = t->kctx;
  t->kctx = 0;
  return lua_yieldk(L, 0, ctx, k);
}

void lv_wake(lv_task *t, int status) {
  assert(t->state == LV_PARKED);
  t->status = status;
  make_ready(t);
}

lv_abort lv_abort_unlink(lv_task *t, void *op) {
  (void)op;
  lv_list_del(&t->link);
  return LV_STOPPED;
}

void lv_wake_all(lv_list *waiting, int status) {
  lv_list *node;
  while ((node = lv_list_pop(waiting)) != NULL)
    lv_wake(LV_OF(node, lv_task, link), status);
}

void lv_task_interrupt(lv_task *t) {
  if (t->state != LV_PARKED || t->abort == NULL) return;
  lv_abort_fn abort = t->abort;
  t->abort = NULL; /* asked once: a pending one wakes from its callback */
  if (abort(t, t->op) == LV_STOPPED) lv_wake(t, -ECANCELED);
}

/* A plain value cannot carry its traceback: the last one's is kept aside. What
 * is raised again further out keeps the first, which says most. */
static void keep_aside(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, LV_LAST_ERROR);
  bool again = lua_rawequal(L, -1, 1);
  lua_pop(L, 1);
  if (again) return;
  lua_pushvalue(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, LV_LAST_ERROR);
  luaL_traceback(L, L, NULL, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, LV_LAST_TRACEBACK);
}

int lv_traceback(lua_State *L) {
  lua_settop(L, 1);
  if (!lv_is_error(L, 1)) {
    keep_aside(L);
    return 1;
  }
  lua_getfield(L, 1, "traceback");
  if (lua_isnil(L, -1) && lv_cancelled_scope(L, 1) == 0) {
    luaL_traceback(L, L, NULL, 1);
    lua_setfield(L, 1, "traceback");
  }
  lua_settop(L, 1);
  return 1;
}

/* Stack: handler, results… or error */
static int body_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = (lv_task *)ctx;
  t->failed = status != LUA_OK && status != LUA_YIELD;
  lua_remove(L, 1);
  return t->failed ? 1 : lua_gettop(L);
}

static int body(lua_State *L) {
  lua_pushcfunction(L, lv_traceback);
  lua_insert(L, 1);
  lv_task *t = lv_slot_task(L);
  int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, (lua_KContext)t,
                          body_done);
  return body_done(L, status, (lua_KContext)t);
}

static void anchor(lua_State *L, lv_task *t) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, ANCHORS);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, t);
  lua_pop(L, 1);
}

static void unanchor(lv_task *t) {
  lua_State *L = t->host->L;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, ANCHORS);
  lua_pushnil(L);
  lua_rawsetp(L, -2, t);
  lua_pop(L, 1);
}

static void push_object(lua_State *L, lv_task *t) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, ANCHORS);
  lua_rawgetp(L, -1, t);
  lua_remove(L, -2);
}

/* Stack: fn, args… → object */
lv_task *lv_task_spawn(lua_State *L, lv_scope *nursery, int nargs) {
  lv_host *host = nursery->host;
  luaL_checkstack(L, 8, "too many arguments to spawn");
  lv_task *t = lua_newuserdatauv(L, sizeof *t, USERVALUES);
  *t = (lv_task){.host = host, .nursery = nursery, .name = LUA_NOREF};
  lv_list_init(&t->link);
  lv_list_init(&t->all);
  lv_list_init(&t->joiners);
  lv_scope_init(&t->own, host, false);
  t->state = LV_DONE; /* so that a collected half-made one is left alone */
  luaL_setmetatable(L, METATABLE);
  t->co = lua_newthread(L);
  lv_slot_set(t->co, t, true);
  lua_setiuservalue(L, -2, THREAD);
  if (!lua_checkstack(t->co, nargs + 2)) luaL_error(L, "too many arguments");
  anchor(L, t);

  lua_insert(L, -(nargs + 2));
  lua_pushcfunction(t->co, body);
  lua_xmove(L, t->co, nargs + 1);
  t->nargs = nargs + 1;
  t->id = ++host->last_id;
  lv_list_push(&host->tasks, &t->all);
  host->ntasks++;
  nursery->ntasks++;
  lv_scope_enter(&t->own, nursery, t);
  t->scope = &t->own;
  make_ready(t);
  return t;
}

/* The error on top of co of a failed task, into its nursery; a cancellation of
 * the task itself is how it was meant to end. */
static void report(lv_task *t) {
  lua_State *L = t->host->L;
  uint64_t id = lv_cancelled_scope(t->co, -1);
  if (id != 0 && lv_scope_is_above(&t->own, id)) return;
  lua_pushvalue(t->co, -1);
  lua_xmove(t->co, L, 1);
  if (t->nursery->quiet)
    lv_host_warn_error(L, "a detached task failed: ");
  else
    lv_scope_fail(L, t->nursery);
}

static void finish(lv_task *t, int status) {
  lv_host *host = t->host;
  t->state = LV_DONE;
  if (status != LUA_OK) t->failed = true;
  if (t->failed) report(t);
  while (t->scope != &t->own) lv_scope_leave(t->scope);
  lv_scope_leave(&t->own);
  lv_scope_fini(&t->own);
  lv_slot_set(t->co, NULL, false);
  lv_list_del(&t->all);
  host->ntasks--;
  lv_wake_all(&t->joiners, 0);
  lv_scope *nursery = t->nursery;
  unanchor(t);
  if (--nursery->ntasks == 0 && nursery->joiner) {
    lv_wake(nursery->joiner, 0);
    nursery->joiner = NULL;
  }
}

static void resume(lv_task *t) {
  lv_host *host = t->host;
  host->running = t;
  t->state = LV_RUNNING;
  int nargs = t->nargs, nresults;
  t->nargs = 0;
  int status = lua_resume(t->co, host->L, nargs, &nresults);
  host->running = NULL;
  if (status != LUA_YIELD) {
    finish(t, status);
    return;
  }
  lua_pop(t->co, nresults);
  if (t->state == LV_RUNNING) make_ready(t); /* a foreign C function's yield */
}

/* Those that they wake run in the next pass, so tasks that wake each other for
 * ever do not starve the loop. */
void lv_run_ready(lv_host *host) {
  lv_list now;
  lv_list_take(&now, &host->ready);
  lv_list *node;
  while ((node = lv_list_pop(&now)) != NULL)
    resume(LV_OF(node, lv_task, link));
}

/* ---- what Lua sees ---- */

static void push_name(lua_State *L, lv_task *t) {
  if (t->name != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->name);
    return;
  }
  lua_Debug ar;
  int level = 0;
  const char *found = NULL;
  while (t->state != LV_DONE && lua_getstack(t->co, level++, &ar)) {
    lua_getinfo(t->co, "S", &ar);
    if (*ar.what == 'C') continue;
    if (found) lua_pop(L, 1);
    found = lua_pushfstring(L, "%s:%d", ar.short_src, ar.linedefined);
  }
  if (found == NULL) lua_pushfstring(L, "task %d", (int)t->id);
}

static const char *state_name(const lv_task *t) {
  static const char *const names[] = {"ready", "running", "waiting", "done"};
  if (t->state == LV_DONE && t->failed)
    return lv_cancelled_scope(t->co, -1) ? "cancelled" : "failed";
  return names[t->state];
}

/* Stack: … → results of the ended task; or its error is raised. A task that
 * was cancelled raises Cancelled as an ordinary error: it is not ours. */
static int push_outcome(lua_State *L, lv_task *t) {
  if (!t->failed) {
    int n = lua_gettop(t->co);
    if (!lua_checkstack(L, n) || !lua_checkstack(t->co, n))
      return luaL_error(L, "too many results");
    for (int i = 1; i <= n; i++) lua_pushvalue(t->co, i);
    lua_xmove(t->co, L, n);
    return n;
  }
  if (lv_cancelled_scope(t->co, -1)) {
    push_name(L, t);
    return lv_raise(L, "Cancelled", "task %s was cancelled",
                    lua_tostring(L, -1));
  }
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

/*** t:traceback() -> string
 * Where the task is: its stack, outermost last. */
static int l_traceback(lua_State *L) {
  lv_task *t = check_object(L, 1);
  luaL_traceback(L, t->co, NULL, 0);
  return 1;
}

/* Fields: name, state, id; methods. */
static int l_index(lua_State *L) {
  lv_task *t = check_object(L, 1);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  const char *key = lua_tostring(L, 2);
  static const char *const fields[] = {"name", "state", "id", NULL};
  int field = 0;
  while (fields[field] && (!key || strcmp(fields[field], key) != 0)) field++;
  switch (field) {
  case 0: push_name(L, t); break;
  case 1: lua_pushstring(L, state_name(t)); break;
  case 2: lua_pushinteger(L, t->id); break;
  default: lua_pushnil(L);
  }
  return 1;
}

static int l_newindex(lua_State *L) {
  lv_task *t = check_object(L, 1);
  const char *key = luaL_checkstring(L, 2);
  if (strcmp(key, "name") != 0)
    return lv_usage(L, "a task has no field \"%s\" that can be set", key);
  luaL_checkstring(L, 3);
  luaL_unref(L, LUA_REGISTRYINDEX, t->name);
  t->name = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static int l_tostring(lua_State *L) {
  lv_task *t = check_object(L, 1);
  push_name(L, t);
  lua_pushfstring(L, "task %d (%s, %s)", (int)t->id, lua_tostring(L, -1),
                  state_name(t));
  return 1;
}

static int l_gc(lua_State *L) {
  lv_task *t = check_object(L, 1);
  if (t->host->L) luaL_unref(L, LUA_REGISTRYINDEX, t->name);
  return 0;
}

/*** task.current() -> Task | nil */
static int l_current(lua_State *L) {
  lv_task *t = lv_slot_task(L);
  if (t)
    push_object(L, t);
  else
    lua_pushnil(L);
  return 1;
}

static lv_scope *nearest_nursery(lv_scope *s) {
  while (s && !s->nursery) s = s->parent;
  return s;
}

/*** task.spawn(fn, ...) -> Task
 * In the nearest nursery around the calling task. */
static int l_spawn(lua_State *L) {
  lv_task *t = lv_slot_task(L);
  lv_scope *s = t ? nearest_nursery(t->scope) : &lv_host_of(L)->root;
  if (s == NULL || !s->live)
    return lv_raise(L, "Closed", "spawn: the program is ending");
  luaL_checkany(L, 1);
  lv_task_spawn(L, s, lua_gettop(L) - 1);
  return 1;
}

/* spawn_root(fn, ...) -> Task: in the root nursery. */
static int l_spawn_root(lua_State *L) {
  lv_scope *root = &lv_host_of(L)->root;
  luaL_checkany(L, 1);
  lv_task_spawn(L, root, lua_gettop(L) - 1);
  return 1;
}

/*** task.detached(fn, ...) -> Task
 * In no nursery: its error is printed, and cancels nobody; the program does not
 * wait for it, but cancels it when all else has ended. */
static int l_detached(lua_State *L) {
  luaL_checkany(L, 1);
  lv_task_spawn(L, &lv_host_of(L)->background, lua_gettop(L) - 1);
  return 1;
}

static int park_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  lua_pushboolean(L, t->status == 0);
  push_object(L, t);
  lua_getiuservalue(L, -1, WOKEN_WITH);
  lua_pushnil(L);
  lua_setiuservalue(L, -3, WOKEN_WITH);
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
  if (t->scope->effective) {
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
    lua_setiuservalue(L, 1, WOKEN_WITH);
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
 * Whether the calling task is in a cancelled scope: its next wait raises. */
static int l_is_cancelled(lua_State *L) {
  lv_task *t = lv_slot_task(L);
  lua_pushboolean(L, t && t->scope->effective);
  return 1;
}

static int wait_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  return t->status == -ECANCELED ? lv_raise_cancelled(L, t) : 0;
}

/*** task.checkpoint()
 * Let the other ready tasks and the loop have a turn. */
static int l_checkpoint(lua_State *L) {
  lv_task *t = lv_task_check(L);
  t->status = 0;
  make_ready(t);
  return lua_yieldk(L, 0, 0, wait_done);
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
 * Suspend the calling task, never for less. */
static int l_sleep(lua_State *L) {
  lua_Number seconds = lv_check_seconds(L, 1, "sleep");
  lv_task *t = lv_task_check(L);
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
    push_object(L, LV_OF(at, lv_task, all));
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/*** task.count() -> integer */
static int l_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)lv_host_of(L)->ntasks);
  return 1;
}

void lv_push_dump(lua_State *L, lv_host *host) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (lv_list *at = host->tasks.next; at != &host->tasks; at = at->next) {
    lv_task *t = LV_OF(at, lv_task, all);
    push_name(L, t);
    lua_pushfstring(L, "task %d (%s) %s%s%s%s", (int)t->id, lua_tostring(L, -1),
                    state_name(t), t->state == LV_PARKED ? " for " : "",
                    t->state == LV_PARKED ? t->why : "",
                    t->scope->effective ? ", cancelled" : "");
    lua_remove(L, -2);
    luaL_addvalue(&b);
    luaL_addchar(&b, '\n');
    luaL_traceback(L, t->co, NULL, 0);
    luaL_addvalue(&b);
    luaL_addchar(&b, '\n');
  }
  luaL_pushresult(&b);
}

/*** task.dump() -> string
 * Every task: its state, what it waits for, its stack. */
static int l_dump(lua_State *L) {
  lv_push_dump(L, lv_host_of(L));
  return 1;
}

void lv_make_task_class(lua_State *L) {
  static const luaL_Reg methods[] = {{"join", l_join},
                                     {"cancel", l_cancel},
                                     {"traceback", l_traceback},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__newindex", l_newindex},
                                  {"__tostring", l_tostring},
                                  {"__gc", l_gc},
                                  {NULL, NULL}};
  luaL_newmetatable(L, METATABLE);
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
                                       {"spawn_root", l_spawn_root},
                                       {"park", l_park},
                                       {"wake", l_wake},
                                       {"raise_cancelled", l_raise_cancelled},
                                       {"is_cancelled", l_is_cancelled},
                                       {"checkpoint", l_checkpoint},
                                       {"sleep", l_sleep},
                                       {"list", l_list},
                                       {"count", l_count},
                                       {"dump", l_dump},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  lv_add_host_functions(L);
  return 1;
}
