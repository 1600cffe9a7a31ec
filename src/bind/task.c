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
#include "bind/idle.h"

#include <assert.h>
#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <uv.h>

enum { SLICE_NS = 1000000 };

/* Its address is the registry's key for the table of what must not be
 * collected: tasks that have not ended, nurseries of none but their tasks. */
static const char ANCHORS = 0;

const char lv_task_class = 0;

lv_task *lv_task_of(lua_State *L) {
  return lv_slot_task(L);
}

bool lv_task_is_leaving_scope(lua_State *L, int idx) {
  uint64_t id = lv_cancelled_scope(L, idx);
  const lv_task *t = id != 0 ? lv_slot_task(L) : NULL;
  return t && (lv_scope_is_above(t->scope, id) || id == t->host->root.id);
}

bool lv_task_is_leaving(lua_State *L, int idx) {
  if (lv_task_is_leaving_scope(L, idx)) return true;
  uint64_t id = lv_cancelled_scope(L, idx);
  const lv_task *t = id != 0 ? lv_slot_task(L) : NULL;
  return t && id == t->once;
}

bool lv_task_is_shielded(const lv_task *t) {
  for (const lv_scope *s = t->scope; s != &t->own; s = s->parent)
    if (s->shield) return true;
  return false;
}

bool lv_task_is_due_once(const lv_task *t) {
  return t->once_pending && !lv_task_is_shielded(t);
}

bool lv_task_is_cancelled(const lv_task *t) {
  return t->scope->effective || lv_task_is_due_once(t);
}

lv_task *lv_task_check_waitable(lua_State *L) {
  lv_task *t = lv_slot_task(L);
  if (t == NULL) lv_usage(L, "cannot wait here: not inside a task");
  if (!lv_slot_may_wait(L) || !lua_isyieldable(L))
    lv_usage(L, "cannot wait here: inside a function that cannot be suspended "
                "(table.sort, string.gsub, require, coroutine.close, "
                "__tostring, __gc, …)");
  return t;
}

lv_task *lv_task_check(lua_State *L) {
  lv_task *t = lv_task_check_waitable(L);
  if (lv_task_is_cancelled(t)) lv_raise_cancelled(L, t);
  return t;
}

static const lv_scope *outermost_cancelled(const lv_scope *s) {
  const lv_scope *found = s;
  for (; s; s = s->shield ? NULL : s->parent)
    if (s->called) found = s;
  return found;
}

static int raise_once(lua_State *L, lv_task *t) {
  lv_push_cancelled(L, t->once);
  lv_task_push(L, t);
  lua_getiuservalue(L, -1, LV_TASK_REASON);
  lua_setfield(L, -3, "reason");
  lua_pop(L, 1);
  t->once_pending = false;
  return lua_error(L);
}

int lv_raise_cancelled(lua_State *L, lv_task *t) {
  if (!t->scope->effective) return raise_once(L, t);
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

int lv_pause(lua_State *L, lv_task *t, lua_KFunction k) {
  assert(t->state == LV_RUNNING);
  t->at = L;
  t->status = 0;
  t->host->polled = 0;
  make_ready(t);
  return lua_yieldk(L, 0, 0, k);
}

bool lv_task_is_greedy(lua_State *L) {
  lv_task *t = lv_task_of(L);
  if (t == NULL || !lv_slot_may_wait(L) || !lua_isyieldable(L)) return false;
  uint64_t now = uv_hrtime();
  if (t->since == 0) t->since = now;
  return now - t->since > SLICE_NS;
}

int lv_park(lua_State *L, lv_task *t, const char *why, void *op,
            lv_abort_fn abort, lua_KFunction k) {
  assert(t->state == LV_RUNNING);
  t->state = LV_PARKED;
  t->at = L;
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

void lv_task_cancel_once(lua_State *L, lv_task *t) {
  lv_task_push(L, t);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, LV_TASK_REASON);
  lua_pop(L, 1);
  if (t->once == 0) t->once = lv_scope_next_id();
  t->once_pending = true;
  if (!lv_task_is_shielded(t)) lv_task_interrupt(t);
}

/* A plain value cannot carry its traceback: the last one's is kept aside. What
 * is raised again further out keeps the first, which says most. */
static void keep_aside(lua_State *L) {
  lua_pushvalue(L, 1);
  if (lua_isnil(L, 1)) lua_pushliteral(L, "nil"); /* see lv_scope_fail */
  lua_getfield(L, LUA_REGISTRYINDEX, LV_LAST_ERROR);
  if (lua_rawequal(L, -1, -2)) return;
  lua_pop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, LV_LAST_ERROR);
  luaL_traceback(L, L, NULL, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, LV_LAST_TRACEBACK);
}

int lv_traceback(lua_State *L) {
  lua_settop(L, 1);
  if (!lv_is_error(L, 1)) {
    keep_aside(L);
    lua_settop(L, 1);
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

void lv_make_anchors(lua_State *L) {
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &ANCHORS);
}

int lv_anchor(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &ANCHORS);
  lua_pushvalue(L, -2);
  int ref = luaL_ref(L, -2);
  lua_pop(L, 1);
  return ref;
}

void lv_anchor_other(lua_State *L, int ref) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &ANCHORS);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, ref);
  lua_pop(L, 1);
}

void lv_unanchor(lua_State *L, int ref) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &ANCHORS);
  luaL_unref(L, -1, ref);
  lua_pop(L, 1);
}

void lv_task_push(lua_State *L, const lv_task *t) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &ANCHORS);
  lua_rawgeti(L, -1, t->anchor);
  lua_remove(L, -2);
}

/* Should the nursery be orphaned, there may be no memory to anchor it. */
static void make_keepable(lua_State *L, lv_scope *nursery) {
  if (nursery->anchor != 0) return;
  lua_pushboolean(L, false);
  nursery->anchor = lv_anchor(L);
  lua_pop(L, 1);
}

/* Stack: fn, args… → object */
lv_task *lv_task_spawn(lua_State *L, lv_scope *nursery, int nargs) {
  lv_host *host = nursery->host;
  luaL_checkstack(L, 8, "too many arguments to spawn");
  make_keepable(L, nursery);
  lv_task *t = lua_newuserdatauv(L, sizeof *t, LV_TASK_VALUES);
  *t = (lv_task){.host = host, .nursery = nursery};
  lv_list_init(&t->link);
  lv_list_init(&t->all);
  lv_list_init(&t->joiners);
  lv_scope_init(&t->own, host, false);
  t->state = LV_DONE; /* so that a collected half-made one is left alone */
  lua_rawgetp(L, LUA_REGISTRYINDEX, &lv_task_class);
  lua_setmetatable(L, -2);
  t->co = lv_idle_take(L, host);
  lv_slot_set(t->co, t, true);
  lua_setiuservalue(L, -2, LV_TASK_THREAD);
  lua_pushvalue(L, -(nargs + 2));
  lua_setiuservalue(L, -2, LV_TASK_NAMER);
  if (!lua_checkstack(t->co, nargs + 2)) luaL_error(L, "too many arguments");
  t->anchor = lv_anchor(L);

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
 * the task itself, or os.exit, is how it was meant to end. */
static void report(lv_task *t) {
  lua_State *L = t->host->L;
  uint64_t id = lv_cancelled_scope(t->co, -1);
  if (id != 0 && id == t->once) return;
  if (id == t->host->root.id || (id && lv_scope_is_above(&t->own, id))) {
    if (id != t->own.id) t->nursery->curtailed = true;
    return;
  }
  lua_pushvalue(t->co, -1);
  lua_xmove(t->co, L, 1);
  const lv_scope *nursery = t->nursery;
  if (nursery->quiet || !nursery->live || nursery->orphaned)
    lv_host_warn_error(L, "a task failed: ");
  else
    lv_scope_fail(L, t->nursery);
}

static void leave_nursery(lv_task *t) {
  lv_scope *nursery = t->nursery;
  if (--nursery->ntasks > 0) return;
  if (nursery->joiner) lv_wake(nursery->joiner, 0);
  nursery->joiner = NULL;
  if (nursery->orphaned) lv_scope_let_go(t->host->L, nursery);
}

static void finish(lv_task *t, int status) {
  lv_host *host = t->host;
  t->state = LV_DONE;
  if (status != LUA_OK) t->failed = true;
  if (t->failed) report(t);
  while (t->scope != &t->own)
    lv_scope_leave(t->scope);
  lv_scope_leave(&t->own);
  lv_scope_fini(&t->own);
  lv_slot_end(t->co);
  lv_idle_keep(t);
  lv_list_del(&t->all);
  host->ntasks--;
  lv_wake_all(&t->joiners, 0);
  leave_nursery(t);
  lv_unanchor(host->L, t->anchor);
}

static void resume(lv_task *t) {
  t->state = LV_RUNNING;
  t->at = NULL; /* a generator that it waited in may be collected now */
  t->since = 0;
  int nargs = t->nargs, nresults;
  t->nargs = 0;
  int status = lua_resume(t->co, t->host->L, nargs, &nresults);
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
