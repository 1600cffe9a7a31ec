/* bind/signal.c — Signals to the program, heard by its tasks.
 *
 * A listener counts what arrived for each of its signals; its task takes them
 * one by one. Nothing is lost between two waits.
 * @module luvisor.signal */
#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "bind/task.h"
#include "os/signame.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <signal.h>

static const char METATABLE[] = "luvisor.Listener";

enum { MOST = 16 };

typedef struct {
  lv_host *host; /* NULL once closed */
  lv_task *task; /* that waits for the next, or NULL */
  int n;
  int signals[MOST];
  unsigned arrived[MOST];
  lv_sub subs[MOST];
} listener;

static void on_signal(void *arg, int signum, unsigned times) {
  listener *l = arg;
  for (int i = 0; i < l->n; i++)
    if (l->signals[i] == signum) l->arrived[i] += times;
  if (l->task && l->task->state == LV_PARKED) lv_wake(l->task, 0);
}

static void leave(listener *l) {
  if (l->host == NULL) return;
  for (int i = 0; i < l->n; i++) {
    lv_sub_del(&l->host->rt.sigs, &l->subs[i], l->signals[i]);
    l->host->user_signals[l->signals[i]]--;
    lv_host_review_signal(l->host, l->signals[i]);
  }
  l->host->user_waits--;
  l->host = NULL;
}

/* listen(sig, ...) -> listener */
static int l_listen(lua_State *L) {
  int n = lua_gettop(L), signals[MOST];
  if (n < 1 || n > MOST)
    return lv_usage(L, "expected from 1 to %d signals, got %d", MOST, n);
  for (int i = 0; i < n; i++)
    signals[i] = lv_check_signal(L, i + 1);
  lv_host_check_open(L);
  listener *l = lua_newuserdatauv(L, sizeof *l, 0);
  *l = (listener){0};
  luaL_setmetatable(L, METATABLE);
  lv_host *host = lv_host_of(L);
  l->host = host;
  host->user_waits++;
  for (; l->n < n; l->n++) {
    int signum = l->signals[l->n] = signals[l->n];
    int rc = lv_sub_add(&host->rt.sigs, &l->subs[l->n], signum, on_signal, l);
    if (rc < 0) {
      leave(l);
      return lv_usage(L, "signal %s cannot be caught",
                      luaL_tolstring(L, l->n + 1, NULL));
    }
    host->user_signals[signum]++;
    lv_host_review_signal(host, signum);
  }
  return 1;
}

static bool push_next(lua_State *L, listener *l) {
  for (int i = 0; i < l->n; i++) {
    if (l->arrived[i] == 0) continue;
    l->arrived[i]--;
    lua_pushstring(L, lv_signame_format(l->signals[i]));
    return true;
  }
  return false;
}

static int next_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  listener *l = luaL_checkudata(L, 1, METATABLE);
  (void)status, (void)ctx;
  if (l->task == t) l->task = NULL; /* else it is another's already */
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  if (!push_next(L, l)) lua_pushnil(L); /* closed */
  return 1;
}

static lv_abort abort_next(lv_task *t, void *op) {
  (void)t;
  ((listener *)op)->task = NULL;
  return LV_STOPPED;
}

/*** listener:next() -> string | nil
 * The name of the next signal that came; waits for it. nil once closed. */
static int l_next(lua_State *L) {
  listener *l = luaL_checkudata(L, 1, METATABLE);
  lua_settop(L, 1);
  if (push_next(L, l)) return 1;
  if (l->host == NULL) return 0;
  if (l->task)
    return lv_raise(L, "Busy", "another task waits for this listener");
  lv_task *t = lv_task_check(L);
  l->task = t;
  return lv_park(L, t, "a signal", l, abort_next, next_done);
}

static int l_close(lua_State *L) {
  listener *l = luaL_checkudata(L, 1, METATABLE);
  leave(l);
  if (l->task && l->task->state == LV_PARKED) lv_wake(l->task, 0);
  return 0;
}

static int l_gc(lua_State *L) {
  listener *l = lua_touserdata(L, 1);
  if (l->host && l->host->L) leave(l);
  return 0;
}

/*** signal.ignore(sig[, on])
 * From now on the signal does nothing to us; on = false: it does again what it
 * does by default. Children are not affected. */
static int l_ignore(lua_State *L) {
  int signum = lv_check_signal(L, 1);
  bool on = lua_isnoneornil(L, 2) || lua_toboolean(L, 2);
  lv_host *host = lv_host_of(L);
  if (signum == SIGCHLD && on)
    return lv_usage(L, "signal CHLD cannot be ignored: nobody could know how a "
                       "child ended");
  int rc = lv_sigs_ignore(&host->rt.sigs, signum, on);
  if (rc < 0)
    return lv_usage(L, "signal %s cannot be ignored",
                    luaL_tolstring(L, 1, NULL));
  if (on) lv_spawner_note_ignored(host->rt.spawner, signum);
  lv_host_review_signal(host, signum);
  return 0;
}

/*** signal.send(pid, sig)
 * kill(2), with its meaning of pids below 1. NoProcess, OSError. */
static int l_send(lua_State *L) {
  lua_Integer pid = lv_check_size(L, 1, "send: the pid");
  int signum = lv_check_signal(L, 2);
  if (pid < -INT_MAX || pid > INT_MAX)
    return lv_usage(L, "send: no such pid: %I", pid);
  if (kill((pid_t)pid, signum) == 0) return 0;
  lua_pushfstring(L, "process %I", pid);
  return lv_raise_os(L, -errno, "signal", lua_tostring(L, -1));
}

/*** signal.number(sig) -> integer */
static int l_number(lua_State *L) {
  lua_pushinteger(L, lv_check_signal(L, 1));
  return 1;
}

/*** signal.name(sig) -> string
 * "TERM" for 15. */
static int l_name(lua_State *L) {
  const char *name = lv_signame_format(lv_check_signal(L, 1));
  if (name == NULL) return lv_usage(L, "no such signal");
  lua_pushstring(L, name);
  return 1;
}

int lv_open_signal(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"_listen", l_listen}, {"ignore", l_ignore}, {"send", l_send},
      {"number", l_number},  {"name", l_name},     {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"next", l_next}, {"close", l_close}, {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__call", l_next}, {"__close", l_close}, {"__gc", l_gc}, {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
  luaL_newlib(L, functions);
  return 1;
}
