/* bind/scope.c — The tree of scopes, and running a function inside one.
 * See scope.h.
 * @module luvisor.core.scope */
#include "bind/scope.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/task.h"

#include <assert.h>
#include <lauxlib.h>
#include <stdio.h>

static const char METATABLE[] = "luvisor.scope";

void lv_scope_init(lv_scope *s, lv_host *host, bool shield) {
  *s = (lv_scope){.host = host, .shield = shield};
  s->errors = s->reason = LUA_NOREF;
  lv_list_init(&s->children);
  lv_list_init(&s->sibling);
}

void lv_scope_fini(lv_scope *s) {
  luaL_unref(s->host->L, LUA_REGISTRYINDEX, s->errors);
  luaL_unref(s->host->L, LUA_REGISTRYINDEX, s->reason);
  s->errors = s->reason = LUA_NOREF;
}

uint64_t lv_scope_next_id(void) {
  static uint64_t last_id; /* ids must differ between all hosts' scopes, too */
  return ++last_id;
}

void lv_scope_enter(lv_scope *s, lv_scope *parent, lv_task *task) {
  s->id = lv_scope_next_id();
  s->parent = parent;
  s->task = task;
  s->live = true;
  if (parent == NULL) return;
  lv_list_push(&parent->children, &s->sibling);
  s->effective = s->called || (parent->effective && !s->shield);
}

/* Scopes end in the order they nest, but for those that a suspended generator
 * is in: what is below then moves up. */
void lv_scope_leave(lv_scope *s) {
  if (!s->live) return;
  s->live = false;
  lv_timer_stop(&s->host->rt.timers, &s->deadline);
  lv_list_del(&s->sibling);
  lv_list *node;
  while ((node = lv_list_pop(&s->children)) != NULL) {
    lv_scope *child = LV_OF(node, lv_scope, sibling);
    child->parent = s->parent;
    if (s->parent) lv_list_push(&s->parent->children, node);
  }
  if (s->task && s->task->scope == s) s->task->scope = s->parent;
}

bool lv_scope_is_above(const lv_scope *s, uint64_t id) {
  for (; s; s = s->parent)
    if (s->id == id) return true;
  return false;
}

static lv_scope *first_child(lv_scope *s) {
  if (lv_list_is_empty(&s->children)) return NULL;
  return LV_OF(s->children.next, lv_scope, sibling);
}

/* The scope after s in a walk of the tree below top, its children left out. */
static lv_scope *after(lv_scope *s, const lv_scope *top) {
  for (; s != top; s = s->parent)
    if (s->sibling.next != &s->parent->children)
      return LV_OF(s->sibling.next, lv_scope, sibling);
  return NULL;
}

static void take_effect(lv_scope *s) {
  s->effective = true;
  if (s->task && s->task->scope == s) lv_task_interrupt(s->task);
}

/* A walk, not a recursion: nurseries may nest deeper than a C stack. */
static void reach(lv_scope *s) {
  if (s->effective || !s->live) return;
  take_effect(s);
  lv_scope *at = first_child(s);
  while (at) {
    bool enter = !at->shield && !at->effective;
    if (enter) take_effect(at);
    lv_scope *child = enter ? first_child(at) : NULL;
    at = child ? child : after(at, s);
  }
}

void lv_scope_cancel(lv_scope *s) {
  s->called = true;
  reach(s);
}

lv_scope *lv_scope_detach(lv_task *t, lv_scope *base) {
  lv_scope *innermost = t->scope, *s = innermost;
  if (s == base) return NULL;
  t->scope = base;
  while (s->parent != base) {
    s->task = NULL;
    s = s->parent;
  }
  s->task = NULL;
  s->adrift = true;
  return innermost;
}

/* What was cancelled around the generator where it last was, is so no more. */
void lv_scope_attach(lv_scope *innermost, lv_task *t) {
  lv_scope *s = innermost, *outermost;
  do {
    outermost = s;
    s->task = t;
    s->effective = false;
    s = s->parent;
  } while (!outermost->adrift);
  outermost->adrift = false;
  lv_list_del(&outermost->sibling);
  outermost->parent = t->scope;
  lv_list_push(&t->scope->children, &outermost->sibling);
  for (s = innermost; s != t->scope; s = s->parent)
    if (s->called || (s->parent->effective && !s->shield)) reach(s);
  t->scope = innermost;
}

/* Leave a scope of a generator that will never go on. */
static void drop(lv_scope *s) {
  lv_scope_cancel(s);
  lv_scope_leave(s);
  lv_scope_print_errors(s, "a task of an abandoned nursery failed: ");
}

void lv_scope_abandon(lv_scope *innermost) {
  bool last = false;
  for (lv_scope *s = innermost, *next; !last; s = next) {
    next = s->parent;
    last = s->adrift;
    drop(s);
  }
}

/* Stack: error → error */
static int start_list(lua_State *L) {
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Stack: error, list. */
static void add_to_list(lua_State *L) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, i);
    if (lua_rawequal(L, -1, 1)) return;
    lua_pop(L, 1);
  }
  lua_pushvalue(L, 1);
  lua_rawseti(L, 2, n + 1);
}

/* Stack: error, scope. No list can hold nil. */
static int add_error(lua_State *L) {
  lv_scope *s = lua_touserdata(L, 2);
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_pushliteral(L, "nil");
    lua_replace(L, 1);
  }
  if (s->errors == LUA_NOREF) {
    s->errors = start_list(L);
    return 0;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->errors);
  add_to_list(L);
  return 0;
}

/* Nobody could catch what it raised: it is called where tasks end. */
void lv_scope_fail(lua_State *L, lv_scope *s) {
  lua_pushcfunction(L, add_error);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, s);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    lua_pop(L, 1);
    s->lost = true;
  }
  lv_scope_cancel(s);
}

/* Push the list of what the scope raises; false: it raises nothing. */
static bool push_errors(lua_State *L, const lv_scope *s) {
  if (s->errors != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->errors);
    return true;
  }
  if (!s->lost) return false;
  lua_createtable(L, 1, 0);
  lua_pushliteral(L, "not enough memory");
  lua_rawseti(L, -2, 1);
  return true;
}

int lv_scope_print_errors(lv_scope *s, const char *who) {
  lua_State *L = s->host->L;
  if (s->errors == LUA_NOREF && s->lost) {
    fprintf(stderr, "luvisor: %snot enough memory\n", who);
    return 1;
  }
  if (s->errors == LUA_NOREF) return 0;
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->errors);
  int n = (int)lua_rawlen(L, -1);
  for (int i = 1; i <= n; i++) {
    lua_rawgeti(L, -1, i);
    lv_host_warn_error(L, who);
  }
  lua_pop(L, 1);
  return n;
}

lv_scope *lv_check_scope(lua_State *L, int arg) {
  return luaL_checkudata(L, arg, METATABLE);
}

static void on_deadline(lv_timer *timer) {
  lv_scope *s = LV_OF(timer, lv_scope, deadline);
  s->expired = true;
  lv_scope_cancel(s);
}

/*** scope.new(kind[, seconds]) -> scope
 * kind: "nursery"; "lenient", a nursery whose tasks' errors are printed and
 * cancel nobody; "scope"; "shield". With seconds it is cancelled that long
 * after it is entered. */
static int l_new(lua_State *L) {
  static const char *const kinds[] = {"nursery", "lenient", "scope", "shield",
                                      NULL};
  int kind = luaL_checkoption(L, 1, NULL, kinds);
  lua_Number seconds =
      lua_isnoneornil(L, 2) ? -1 : lv_check_seconds(L, 2, "the time limit");
  lua_settop(L, 2);
  lv_scope *s = lua_newuserdatauv(L, sizeof *s, 1);
  lv_scope_init(s, lv_host_of(L), kind == 3);
  s->nursery = kind <= 1;
  s->quiet = kind == 1;
  luaL_setmetatable(L, METATABLE);
  lua_pushnumber(L, seconds);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/* How the body of a scope ended. */
enum {
  RETURNED,
  FAILED,  /* the error is in the scope's list, or is the scope's own
              cancellation */
  LEAVING, /* by the cancellation of a scope further out */
};

/* Stack: scope, results or error… */
static int leave(lua_State *L, lv_task *t, lv_scope *s, lua_KContext end) {
  lv_scope_leave(s);
  lua_pushboolean(L, false);
  if (push_errors(L, s)) return 2;
  lua_pop(L, 1);
  bool cancelled = t->scope->effective && !s->shield;
  if (cancelled && s->curtailed) return lv_raise_cancelled(L, t);
  if (s->called && lv_task_is_due_once(t)) return lv_raise_cancelled(L, t);
  if (end == RETURNED) {
    lua_pushboolean(L, true);
    lua_replace(L, 1);
    return lua_gettop(L);
  }
  if (end == LEAVING) return lua_error(L);
  if (cancelled) return lv_raise_cancelled(L, t);
  lua_pushnil(L);
  lua_pushboolean(L, s->expired);
  return 2;
}

/* A cancellation of a scope has reached the children already; the task's
 * one-shot cancellation has not. */
static lv_abort abort_join(lv_task *t, void *op) {
  if (!t->scope->effective) lv_scope_cancel(op);
  return LV_PENDING;
}

/* Whoever entered the scope waits for its children, whatever happens: when it
 * is cancelled, so are they, and then they end. */
static int join(lua_State *L, int status, lua_KContext end) {
  lv_scope *s = lua_touserdata(L, 1);
  lv_task *t = lv_task_of(L);
  (void)status;
  if (s->ntasks == 0) return leave(L, t, s, end);
  if (lv_task_is_due_once(t)) abort_join(t, s);
  s->joiner = t;
  t->kctx = end;
  return lv_park(L, t, "the tasks of its nursery", s, abort_join, join);
}

/* The error on top of L ended the body of s. */
static int note_failure(lua_State *L, lv_scope *s) {
  uint64_t id = lv_cancelled_scope(L, -1);
  if (id != s->id && lv_task_is_leaving(L, -1)) {
    lv_scope_cancel(s);
    return LEAVING;
  }
  if (id != s->id) {
    lua_pushvalue(L, -1);
    lv_scope_fail(L, s);
  }
  return FAILED;
}

static int body_done(lua_State *L, int status, lua_KContext ctx) {
  lv_scope *s = lua_touserdata(L, 1);
  bool ok = status == LUA_OK || status == LUA_YIELD;
  (void)ctx;
  lua_remove(L, 2); /* the message handler */
  return join(L, LUA_OK, ok ? RETURNED : note_failure(L, s));
}

/* A limit of no time cancels before the first wait, whatever the clock says. */
static void start_deadline(lua_State *L, lv_scope *s, lua_Number seconds) {
  s->deadline.fn = on_deadline;
  if (seconds == 0)
    s->called = s->expired = true;
  else if (lv_timer_start(&s->host->rt.timers, &s->deadline, seconds) < 0)
    luaL_error(L, "not enough memory");
}

/*** scope:run(fn, ...) -> true, values… | nil, expired | false, errors
 * Call fn inside the scope and wait for what was spawned into it. nil: it was
 * cancelled, by its deadline if expired. */
static int l_run(lua_State *L) {
  lv_scope *s = lv_check_scope(L, 1);
  lv_check_callable(L, 2, "expected a function to call");
  lv_task *t = lv_task_check_waitable(L);
  if (s->live || s->id != 0) return lv_usage(L, "a scope is entered once");
  lua_getiuservalue(L, 1, 1);
  lua_Number seconds = lua_tonumber(L, -1);
  lua_pop(L, 1);
  lua_pushcfunction(L, lv_traceback);
  lua_insert(L, 2);
  if (seconds >= 0) start_deadline(L, s, seconds);
  lv_scope_enter(s, t->scope, t);
  t->scope = s;
  int status = lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, 0, body_done);
  return body_done(L, status, 0);
}

/*** scope:cancel([reason])
 * Cancel what runs inside; never waits. */
static int l_cancel(lua_State *L) {
  lv_scope *s = lv_check_scope(L, 1);
  if (s->reason == LUA_NOREF && !lua_isnoneornil(L, 2)) {
    lua_settop(L, 2);
    s->reason = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lv_scope_cancel(s);
  return 0;
}

/*** scope:spawn(fn, ...) -> Task
 * Raises Closed when the nursery has ended. */
static int l_spawn(lua_State *L) {
  lv_scope *s = lv_check_scope(L, 1);
  if (!s->live) return lv_raise(L, "Closed", "spawn: the nursery has ended");
  lv_check_callable(L, 2, "spawn: expected a function");
  lv_task_spawn(L, s, lua_gettop(L) - 2);
  return 1;
}

/*** scope:is_cancelled() -> boolean */
static int l_is_cancelled(lua_State *L) {
  lv_scope *s = lv_check_scope(L, 1);
  lua_pushboolean(L, s->called || s->effective);
  return 1;
}

void lv_scope_let_go(lua_State *L, const lv_scope *s) {
  lua_pushboolean(L, false);
  lv_anchor_other(L, s->anchor);
  lua_pop(L, 1);
}

/* A generator that was in a nursery may be collected while tasks of it still
 * run: these are cancelled, and the memory lives on until they have ended. */
static int l_gc(lua_State *L) {
  lv_scope *s = lv_check_scope(L, 1);
  if (s->ntasks > 0) {
    lv_scope_cancel(s);
    lv_anchor_other(L, s->anchor);
    s->orphaned = true;
    luaL_setmetatable(L, METATABLE); /* so that we are called again */
    return 0;
  }
  if (s->live) drop(s);
  if (s->anchor != 0) lv_unanchor(L, s->anchor);
  lv_scope_fini(s);
  return 0;
}

int lv_open_scope(lua_State *L) {
  static const luaL_Reg methods[] = {{"run", l_run},
                                     {"cancel", l_cancel},
                                     {"spawn", l_spawn},
                                     {"is_cancelled", l_is_cancelled},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", l_gc}, {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_new);
  lua_setfield(L, -2, "new");
  return 1;
}
