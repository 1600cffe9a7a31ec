/* bind/host.c — The life of a program: its Lua state, its main loop, its end.
 *
 * A turn of the loop is one pass over the ready tasks, then one look at the
 * kernel. The script runs in the root scope; when that is empty, what is to be
 * cleaned up runs in the tail scope (at_exit), and then nothing may be left.
 * @module luvisor.core.host */
#include "bind/host.h"

#include "bind/coroutine.h"
#include "bind/error.h"
#include "bind/idle.h"
#include "bind/modules.h"
#include "bind/stream.h"
#include "bind/task.h"
#include "core/proc.h"
#include "core/writer.h"
#include "os/term.h"

#include <assert.h>
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char HOST[] = "luvisor.host";
static const char AT_EXIT[] = "luvisor.at_exit";

lv_host *lv_host_of(lua_State *L) {
  const lv_task *t = lv_slot_task(L);
  if (t) return t->host;
  lua_getfield(L, LUA_REGISTRYINDEX, HOST);
  lv_host *host = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return host;
}

void lv_host_check_open(lua_State *L) {
  if (!lv_host_of(L)->root.live) lv_raise(L, "Closed", "the program has ended");
}

/* ---- errors that nobody catches ---- */

/* Push what is to be said of an error. Any value may be one. */
static void push_text(lua_State *L, int idx) {
  bool has_text = luaL_getmetafield(L, idx, "__tostring") != LUA_TNIL;
  if (has_text) lua_pop(L, 1);
  if (has_text || lua_type(L, idx) != LUA_TTABLE) {
    luaL_tolstring(L, idx, NULL);
    return;
  }
  lua_pushliteral(L, "message");
  if (lua_rawget(L, idx) == LUA_TSTRING) return;
  lua_pop(L, 1);
  lua_pushliteral(L, "(error object is a table value)");
}

/* Stack: who, error. May raise: called protected. */
static int print_error(lua_State *L) {
  const char *who = lua_touserdata(L, 1);
  push_text(L, 2);
  fprintf(stderr, "luvisor: %s%s\n", who, lua_tostring(L, 3));
  if (lv_is_error(L, 2)) {
    lua_getfield(L, 2, "traceback");
  } else {
    lua_getfield(L, LUA_REGISTRYINDEX, LV_LAST_ERROR);
    bool known = lua_rawequal(L, -1, 2);
    lua_getfield(L, LUA_REGISTRYINDEX, LV_LAST_TRACEBACK);
    if (!known) lua_pushnil(L);
  }
  const char *traceback = lua_tostring(L, -1);
  if (traceback) fprintf(stderr, "%s\n", traceback);
  return 0;
}

void lv_host_warn_error(lua_State *L, const char *who) {
  fflush(stdout);
  lua_pushcfunction(L, print_error);
  lua_pushlightuserdata(L, (void *)who);
  lua_rotate(L, -3, 2);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    fprintf(stderr, "luvisor: an error that cannot be shown: %s\n",
            lua_tostring(L, -1));
    lua_pop(L, 1);
  }
}

/* ---- signals to the program itself ---- */

static bool is_ours(lv_host *host, int signum) {
  return host->user_signals[signum] == 0 && !host->rt.sigs.ignored[signum];
}

/* HUP is a terminal that went away: what runs on it ends, too. */
static const int ending[] = {SIGINT, SIGTERM, SIGHUP};

enum { ENDING = sizeof ending / sizeof *ending };

/* The first of them ends the program in order. */
static void on_interrupt(void *arg, int signum, unsigned times) {
  lv_host *host = arg;
  (void)times;
  if (is_ours(host, signum)) lv_host_exit(host, 128 + signum);
}

/* The second at once, from the signal's handler, for the program may be in a
 * loop of its own; but no child is left behind. */
static void die(void *arg, int signum) {
  lv_host *host = arg;
  lv_procs_kill(&host->rt);
  lv_term_restore();
  _exit(128 + signum);
}

void lv_host_review_signal(lv_host *host, int signum) {
  for (int i = 0; i < ENDING; i++)
    if (ending[i] == signum && host->sub_ending[i].fn)
      lv_sigs_set_ending(signum, is_ours(host, signum));
}

static void on_quit(void *arg, int signum, unsigned times) {
  lv_host *host = arg;
  (void)times;
  if (is_ours(host, signum)) host->want_dump = true;
}

/* What whoever started us ignores stays ignored: nohup(1), and a shell's
 * background jobs. */
static void watch_signals(lv_host *host) {
  lv_sigs *sigs = &host->rt.sigs;
  lv_sigs_on_last(die, host);
  for (int i = 0; i < ENDING; i++) {
    int signum = ending[i];
    if (sigs->ignored[signum]) continue;
    lv_sub_add(sigs, &host->sub_ending[i], signum, on_interrupt, host);
    lv_host_review_signal(host, signum);
  }
  if (!sigs->ignored[SIGQUIT])
    lv_sub_add(sigs, &host->sub_quit, SIGQUIT, on_quit, host);
  lv_rt_hear();
}

static void unwatch_signals(lv_host *host) {
  lv_sigs *sigs = &host->rt.sigs;
  for (int i = 0; i < ENDING; i++) {
    lv_sub *sub = &host->sub_ending[i];
    lv_sigs_set_ending(ending[i], false);
    if (sub->fn) lv_sub_del(sigs, sub, ending[i]);
  }
  if (host->sub_quit.fn) lv_sub_del(sigs, &host->sub_quit, SIGQUIT);
}

void lv_host_exit(lv_host *host, int code) {
  host->exit_code = code;
  lv_scope_cancel(&host->root);
}

/* Stack: host → text */
static int push_dump(lua_State *L) {
  lv_push_dump(L, lua_touserdata(L, 1));
  return 1;
}

static void print_dump(lv_host *host) {
  host->want_dump = false;
  lua_pushcfunction(host->L, push_dump);
  lua_pushlightuserdata(host->L, host);
  lua_pcall(host->L, 1, 1, 0);
  fflush(stdout);
  fprintf(stderr, "luvisor: %d tasks\n%s", (int)host->ntasks,
          lua_tostring(host->L, -1));
  lua_pop(host->L, 1);
}

/* ---- the loop ---- */

/* Every task waits, and nothing is left that could wake one: a program that
 * ended here without a word would look like one that has succeeded. It is the
 * tasks of s that we wait for; a second time they were cancelled already. */
static bool resolve_deadlock(lv_host *host, lv_scope *s) {
  lua_State *L = host->L;
  lv_push_dump(L, host);
  const char *dump = lua_tostring(L, -1);
  bool again = host->deadlocked || s == NULL || s->effective;
  host->deadlocked = true;
  if (again) {
    fprintf(stderr, "luvisor: deadlock during the cleanup\n%s", dump);
    return false;
  }
  lv_push_error(L, "Deadlock",
                "deadlock: every task waits, and no child, timer, stream or "
                "signal is left that could wake one\n%s",
                dump);
  lv_scope_fail(L, s);
  lua_pop(L, 1);
  return true;
}

static bool something_may_come(lv_host *host) {
  uv_handle_t *ours = (uv_handle_t *)&host->rt.sigs.poll;
  uv_unref(ours);
  bool alive = uv_loop_alive(&host->rt.loop) || host->user_waits > 0 ||
               host->rt.need_sigchld > 0;
  uv_ref(ours);
  return alive;
}

static size_t tasks_in(const lv_host *host, const lv_scope *s) {
  assert(host != NULL);
  return s ? s->ntasks : host->ntasks;
}

/* Tasks that wake each other need no look at the kernel in between, which would
 * cost more than they do. So long they go without, unless one has paused
 * or a signal has come. */
enum { UNPOLLED_NS = 50000 };

static void poll_kernel(lv_host *host, bool ready) {
  bool soon = uv_hrtime() - host->polled < UNPOLLED_NS;
  if (ready && soon && !lv_sigs_arrived()) return;
  uv_run(&host->rt.loop, ready ? UV_RUN_NOWAIT : UV_RUN_ONCE);
  host->polled = uv_hrtime();
}

/* What tasks gather as long as they do not wait. It may fail, and wake some. */
static void start_gathered(lv_host *host) {
  if (lv_list_is_empty(&host->ready))
    lv_writers_start(&host->rt);
  else
    lv_writers_start_old(&host->rt);
}

/* Turn until the scope, or else the program, has no tasks; false: deadlocked
 * for good. */
static bool turn(lv_host *host, lv_scope *s) {
  while (tasks_in(host, s) > 0) {
    lv_run_ready(host);
    if (host->want_dump) print_dump(host);
    if (tasks_in(host, s) == 0) break;
    start_gathered(host);
    bool ready = !lv_list_is_empty(&host->ready);
    if (ready || something_may_come(host))
      poll_kernel(host, ready);
    else if (!resolve_deadlock(host, s))
      return false;
  }
  return true;
}

/* The functions given to at_exit, the last one first. Each is called, whatever
 * becomes of the others. */
static int run_at_exit(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  for (;;) {
    bool failed = status != LUA_OK && status != LUA_YIELD;
    if (failed && !lv_task_is_leaving(L, -1)) {
      lv_host_of(L)->errors++;
      lv_host_warn_error(L, "");
    }
    lua_settop(L, 0);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, AT_EXIT);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    if (n == 0) return 0;
    lua_pushcfunction(L, lv_traceback);
    lua_rawgeti(L, 1, n);
    lua_pushnil(L);
    lua_rawseti(L, 1, n);
    status = lua_pcallk(L, 0, 0, 2, 0, run_at_exit);
  }
}

static int l_run_at_exit(lua_State *L) {
  return run_at_exit(L, LUA_OK, 0);
}

static bool is_within(const lv_scope *s, const lv_scope *above) {
  while (s && s != above)
    s = s->parent;
  return s != NULL;
}

static void cancel_all(lv_host *host, const lv_scope *but) {
  lv_list *node = host->tasks.next;
  for (; node != &host->tasks; node = node->next) {
    lv_task *t = LV_OF(node, lv_task, all);
    if (but == NULL || !is_within(t->nursery, but)) lv_scope_cancel(&t->own);
  }
}

/* The root has ended: but for detached tasks, and those in nurseries of
 * generators that nobody resumed to their end, which are cancelled. Those that
 * last are what the functions given to at_exit work with. */
static bool clean_up(lv_host *host) {
  lv_scope_cancel(&host->background);
  cancel_all(host, &host->lasting);
  lua_pushcfunction(host->L, l_run_at_exit);
  lv_task_spawn(host->L, &host->tail, 0);
  lua_pop(host->L, 1);
  if (!turn(host, &host->tail)) return false;
  lv_scope_cancel(&host->lasting);
  cancel_all(host, NULL);
  if (!turn(host, NULL)) return false;
  while (!lv_list_is_empty(&host->rt.writers))
    uv_run(&host->rt.loop, UV_RUN_ONCE);
  return true;
}

static void end_at_once(lv_host *host) {
  lv_procs_kill(&host->rt);
  lv_term_restore();
  fflush(NULL);
  _exit(1);
}

/* Stack: host, fn → exit code */
static int run(lua_State *L) {
  lv_host *host = lua_touserdata(L, 1);
  lv_task_spawn(L, &host->root, 0);
  lua_pop(L, 1);
  bool orderly = turn(host, &host->root);
  host->errors += lv_scope_print_errors(&host->root, "");
  if (orderly) orderly = clean_up(host);
  host->errors += lv_scope_print_errors(&host->tail, "");
  if (!orderly) end_at_once(host);
  int code = host->exit_code;
  if (host->deadlocked || (code <= 0 && host->errors > 0)) code = 1;
  lua_pushinteger(L, code == LV_NO_CODE ? 0 : code);
  return 1;
}

int lv_host_run(lv_host *host) {
  lua_State *L = host->L;
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, host);
  lua_rotate(L, -3, 2);
  if (lua_pcall(L, 2, 1, 0) != LUA_OK) { /* out of memory in our own doings */
    fprintf(stderr, "luvisor: %s\n", luaL_tolstring(L, -1, NULL));
    end_at_once(host);
  }
  int code = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return code;
}

/* ---- making one ---- */

/*** os.exit([code])
 * End the program: cancels the root nursery (cleanup runs, children are
 * stopped, output is flushed). true is 0, false 1. */
static int l_exit(lua_State *L) {
  lua_Integer code = -1;
  if (lua_isnoneornil(L, 1) || lua_isboolean(L, 1))
    code = lua_isboolean(L, 1) && !lua_toboolean(L, 1);
  else if (lua_isinteger(L, 1))
    code = lua_tointeger(L, 1);
  if (code < 0 || code > 255)
    return lv_usage(L, "os.exit: an exit code is 0 to 255, got %s",
                    luaL_tolstring(L, 1, NULL));
  lv_host *host = lv_host_of(L);
  lv_host_exit(host, (int)code);
  lv_push_cancelled(L, host->root.id);
  return lua_error(L);
}

/*** task.at_exit(fn)
 * Call fn, as a task, when the script and its tasks have ended. */
static int l_at_exit(lua_State *L) {
  lv_check_callable(L, 1, "at_exit: expected a function");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, AT_EXIT);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  return 0;
}

/*** task.set_exit_code(code)
 * What the program exits with if nothing else decides. */
static int l_set_exit_code(lua_State *L) {
  lv_host_of(L)->exit_code = (int)luaL_checkinteger(L, 1);
  return 0;
}

void lv_add_host_functions(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"at_exit", l_at_exit}, {"set_exit_code", l_set_exit_code}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}

static void set_arg(lua_State *L, int argc, char **argv) {
  lua_createtable(L, argc, 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setglobal(L, "arg");
}

/* LUVISOR_GC=N, for tests: see stress.h. */
static void stress(lv_host *host, lua_State *L) {
  const char *every = getenv("LUVISOR_GC");
  unsigned long n = every ? strtoul(every, NULL, 10) : 0;
  if (n > 0 && n < UINT_MAX) lv_stress_start(L, &host->stress, (unsigned)n);
}

/* Stack: host, argc, argv */
static int set_up(lua_State *L) {
  luaL_openlibs(L);
  lua_pushvalue(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, HOST);
  set_arg(L, (int)lua_tointeger(L, 2), lua_touserdata(L, 3));
  lv_make_anchors(L);
  lv_make_idle(L);
  lv_make_task_class(L);
  lv_patch_coroutine(L);
  lv_patch_pcall(L);
  lv_patch_print(L);
  lv_patch_shell(L);
  lua_getglobal(L, "os");
  lua_pushcfunction(L, l_exit);
  lua_setfield(L, -2, "exit");
  lv_install_modules(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "luvisor.error");
  lua_call(L, 1, 0);
  return 0;
}

static int open_lua(lv_host *host, int argc, char **argv) {
  lua_State *L = lv_alloc_newstate(&host->alloc);
  if (L == NULL) return -ENOMEM;
  lv_slot_set(L, NULL, false);
  stress(host, L);
  host->L = L;
  lua_pushcfunction(L, set_up);
  lua_pushlightuserdata(L, host);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  int status = lua_pcall(L, 3, 0, 0);
  if (status == LUA_OK) return 0;
  if (status != LUA_ERRMEM)
    fprintf(stderr, "luvisor: %s\n", lua_tostring(L, -1));
  lua_close(L);
  host->L = NULL;
  return status == LUA_ERRMEM ? -ENOMEM : -ENOEXEC;
}

int lv_host_init(lv_host *host, int argc, char **argv) {
  *host = (lv_host){.exit_code = LV_NO_CODE};
  lv_list_init(&host->ready);
  lv_list_init(&host->tasks);
  const char *no_pidfd = getenv("LUVISOR_NO_PIDFD");
  int rc = lv_rt_init(&host->rt, no_pidfd == NULL || *no_pidfd == '\0');
  if (rc < 0) return rc;
  rc = open_lua(host, argc, argv);
  if (rc < 0) {
    lv_rt_fini(&host->rt);
    return rc;
  }
  lv_scope *const roots[] = {&host->root, &host->tail, &host->background,
                             &host->lasting};
  for (int i = 0; i < 4; i++) {
    lv_scope_init(roots[i], host, true);
    roots[i]->nursery = true;
    lv_scope_enter(roots[i], NULL, NULL);
  }
  host->background.quiet = host->lasting.quiet = true;
  watch_signals(host);
  return 0;
}

void lv_host_fini(lv_host *host) {
  lv_scope_leave(&host->lasting); /* now finalizers can spawn nothing */
  lv_scope_leave(&host->background);
  lv_scope_leave(&host->tail);
  lv_scope_leave(&host->root);
  lua_State *L = host->L;
  lua_close(L);
  host->L = NULL;
  unwatch_signals(host);
  lv_rt_fini(&host->rt);
}
