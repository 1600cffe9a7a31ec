/* bind/sink.c — The output of services: see core/sink.h. What is made of it is
 * lua/luvisor/supervisor/logs.lua.
 *
 * Many sinks have one task of Lua's that hears of them all: an idle one costs
 * no task. Whoever waits for one sink parks in its list, and looks again each
 * time that a job of it is done.
 * @module luvisor.core.sink */
#include "bind/sink.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "bind/task.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const char METATABLE[] = "luvisor.Sink";
static const char HUB[] = "luvisor.SinkHub";

struct lv_sink_hub {
  lv_sinks *sinks;
  lv_list news; /* lv_sink_box.link */
  lv_task *listener;
};

typedef lv_sink_box box;

lv_sink_box *lv_check_sink(lua_State *L, int arg) {
  box *b = luaL_checkudata(L, arg, METATABLE);
  if (b->s == NULL || b->s->closing) lv_raise(L, "Closed", "the log is closed");
  return b;
}

static box *check_box(lua_State *L) {
  return luaL_checkudata(L, 1, METATABLE);
}

static void on_settled(lv_sink *s, unsigned news, void *arg) {
  box *b = arg;
  lv_task *t = b->hub->listener;
  (void)s;
  b->jobs++;
  b->news |= news;
  lv_list_del(&b->link);
  if (b->news != 0) lv_list_push(&b->hub->news, &b->link);
  lv_wake_all(&b->waiting, 0);
  if (b->news == 0 || t == NULL) return;
  b->hub->listener = NULL;
  lv_wake(t, 0);
}

/* ---- settings ---- */

static lua_Integer get_integer(lua_State *L, const char *name) {
  lua_getfield(L, 2, name);
  lua_Integer n = luaL_optinteger(L, -1, 0);
  lua_pop(L, 1);
  return n < 0 ? 0 : n;
}

static int get_option(lua_State *L, const char *name,
                      const char *const *choices) {
  lua_getfield(L, 2, name);
  const char *text = lua_tostring(L, -1);
  int i = 0;
  while (choices[i] && (text == NULL || strcmp(text, choices[i]) != 0))
    i++;
  if (choices[i] == NULL && text) luaL_argerror(L, 2, name);
  lua_pop(L, 1);
  return choices[i] ? i : -1;
}

/* malloc'd, or NULL if there is none. false: no memory. */
static bool get_text(lua_State *L, const char *name, char **out) {
  lua_getfield(L, 2, name);
  const char *text = lua_tostring(L, -1);
  *out = text ? strdup(text) : NULL;
  lua_pop(L, 1);
  return text == NULL || *out != NULL;
}

/* What may raise comes before what is owned. */
static void read_settings(lua_State *L, lv_sink_settings *set) {
  static const char *const targets[] = {"file", "journal", "null", "shared",
                                        NULL};
  static const char *const stamps[] = {"iso", "unix", NULL};
  luaL_checktype(L, 2, LUA_TTABLE);
  *set = (lv_sink_settings){
      .target = (lv_sink_target)get_option(L, "target", targets),
      .fd = (int)get_integer(L, "fd"),
      .max_size = (uint64_t)get_integer(L, "max_size"),
      .rules = {.keep = (unsigned)get_integer(L, "keep"),
                .total = (uint64_t)get_integer(L, "total")},
      .stamp = (lv_stamp_kind)(get_option(L, "stamp", stamps) + 1),
  };
  set->rules.own = set->max_size;
  lua_getfield(L, 2, "drop");
  set->drop = lua_toboolean(L, -1);
  lua_pop(L, 1);
  bool good = get_text(L, "path", &set->path);
  good = get_text(L, "other", &set->other) && good;
  good = get_text(L, "name", &set->name) && good;
  if (good) return;
  lv_sink_settings_fini(set);
  luaL_error(L, "not enough memory");
}

static void keep_subject(lua_State *L) {
  lua_getfield(L, 2, "path");
  lua_setiuservalue(L, -2, LV_SINK_SUBJECT);
}

/*** sink.open(id, settings) -> Sink
 * Nothing is opened yet. id: what sink.next says. settings: target ("file",
 * "journal", "null", "shared"), path, other (syslog's socket), name, fd (that
 * is shared), max_size, keep, total, stamp ("iso", "unix", nil), drop. */
static int l_open(lua_State *L) {
  lv_sink_hub *hub = lua_touserdata(L, lua_upvalueindex(1));
  lua_Integer id = luaL_checkinteger(L, 1);
  lv_sink_settings set;
  lv_host_check_open(L);
  box *b = lua_newuserdatauv(L, sizeof *b, LV_SINK_SUBJECT);
  *b = (box){.id = id, .hub = hub};
  lv_list_init(&b->waiting);
  lv_list_init(&b->link);
  luaL_setmetatable(L, METATABLE);
  keep_subject(L);
  read_settings(L, &set);
  int rc =
      lv_sink_open(&b->s, hub->sinks, &lv_host_of(L)->rt, &set, on_settled, b);
  if (rc == 0) return 1;
  lv_sink_settings_fini(&set);
  return luaL_error(L, "not enough memory");
}

/*** s:change(settings)
 * Other rules from now on; another place from the next line on. */
static int l_change(lua_State *L) {
  box *b = lv_check_sink(L, 1);
  lv_sink_settings set;
  lua_settop(L, 2);
  lua_pushvalue(L, 1);
  keep_subject(L);
  read_settings(L, &set);
  if (lv_sink_change(b->s, &set) == 0) return 0;
  lv_sink_settings_fini(&set);
  return luaL_error(L, "not enough memory");
}

/* ---- waiting ---- */

/* Push what it failed with last, or nil. */
static int push_error(lua_State *L, const box *b, int code) {
  lua_getiuservalue(L, 1, LV_SINK_SUBJECT);
  const char *subject = lua_tostring(L, -1);
  if (code < 0)
    lv_push_oserror(L, code, "write", subject ? subject : "a log");
  else
    lua_pushnil(L);
  (void)b;
  return 1;
}

static bool is_opened(const box *b) {
  return lv_sink_has_done(b->s, LV_SINK_OPEN);
}

static int push_opened(lua_State *L, box *b) {
  return push_error(L, b, b->s->error);
}

static bool is_drained(const box *b) {
  return lv_sink_is_drained(b->s);
}

static int push_nothing(lua_State *L, box *b) {
  (void)L, (void)b;
  return 0;
}

static bool has_input(const box *b) {
  int fd;
  return lv_sink_input(b->s, &fd) != -EAGAIN;
}

static int push_input(lua_State *L, box *b) {
  int fd;
  int rc = lv_sink_input(b->s, &fd);
  if (rc < 0) return lv_raise_os(L, rc, "pipe", NULL);
  lua_pushinteger(L, fd);
  return 1;
}

static bool is_merged(const box *b) {
  return lv_sink_has_done(b->s, LV_SINK_MERGE);
}

static int push_merged(lua_State *L, box *b) {
  lv_sink_merge_order *m = &b->s->merge;
  lua_pushstring(L, m->file);
  free(m->file);
  m->file = NULL;
  if (m->rc < 0 && m->rc != -ENOENT)
    return lv_raise_os(L, m->rc, "rename", lua_tostring(L, -1));
  lua_pushboolean(L, m->rc == 0);
  return 1;
}

static bool is_closed(const box *b) {
  return b->s->closed;
}

static int push_lost(lua_State *L, box *b) {
  lua_pushinteger(L, (lua_Integer)b->s->lost);
  return 1;
}

/* What may be waited for: it is so, and what is returned then. */
enum { OPENED, DRAINED, INPUT, MERGED, CLOSED };

static const struct {
  bool (*is_so)(const box *b);
  int (*push)(lua_State *L, box *b);
  const char *why;
} waits[] = {
    [OPENED] = {is_opened, push_opened, "a log to be opened"},
    [DRAINED] = {is_drained, push_nothing, "the last output of a process"},
    [INPUT] = {has_input, push_input, "the pipe of a log"},
    [MERGED] = {is_merged, push_merged, "a log to be compressed"},
    [CLOSED] = {is_closed, push_lost, "a log to be closed"},
};

static int wait_for(lua_State *L, int what);

static int wait_done(lua_State *L, int status, lua_KContext what) {
  lv_task *t = lv_task_of(L);
  (void)status;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  return wait_for(L, (int)what);
}

int lv_sink_box_park(lua_State *L, lv_sink_box *b, lua_KFunction k) {
  lv_task *t = lv_task_check(L);
  lv_list_push(&b->waiting, &t->link);
  return lv_park(L, t, "a log", NULL, lv_abort_unlink, k);
}

static int wait_for(lua_State *L, int what) {
  box *b = check_box(L);
  if (b->s->closed && what != CLOSED)
    return lv_raise(L, "Closed", "the log was closed meanwhile");
  if (waits[what].is_so(b)) return waits[what].push(L, b);
  lv_task *t = lv_task_check(L);
  t->kctx = what;
  lv_list_push(&b->waiting, &t->link);
  return lv_park(L, t, waits[what].why, NULL, lv_abort_unlink, wait_done);
}

/*** s:prepare() -> error | nil
 * Open where it writes to. Waits. */
static int l_prepare(lua_State *L) {
  lv_sink_do(lv_check_sink(L, 1)->s, LV_SINK_OPEN);
  return wait_for(L, OPENED);
}

/*** s:input() -> integer
 * The writing end of a pipe for the next process; the sink's until s:handed().
 * Waits if the last pipe is still in use. */
static int l_input(lua_State *L) {
  lv_check_sink(L, 1);
  return wait_for(L, INPUT);
}

/*** s:handed()
 * The process has that end: close ours. */
static int l_handed(lua_State *L) {
  box *b = check_box(L);
  if (b->s) lv_sink_handed(b->s);
  return 0;
}

/*** s:drained()
 * Wait until nobody can write to the pipe any more and all is written. */
static int l_drained(lua_State *L) {
  lv_sink_hurry(lv_check_sink(L, 1)->s);
  return wait_for(L, DRAINED);
}

/*** s:reopen()
 * The file was moved away: at the next line end go on in a new one. */
static int l_reopen(lua_State *L) {
  lv_sink_do(lv_check_sink(L, 1)->s, LV_SINK_REOPEN);
  return 0;
}

/*** s:merge(file, dev, ino) -> boolean
 * Let `file` be the compressed form of the rotated file that is dev, ino. Waits.
 * false: that is there no more. */
static int l_merge(lua_State *L) {
  box *b = lv_check_sink(L, 1);
  const char *name = luaL_checkstring(L, 2);
  lua_Integer dev = luaL_checkinteger(L, 3), ino = luaL_checkinteger(L, 4);
  lv_task_check(L);
  int rc = lv_sink_merge(b->s, name, (dev_t)dev, (ino_t)ino);
  if (rc == 0) return wait_for(L, MERGED);
  if (rc == -ENOMEM) return luaL_error(L, "not enough memory");
  return lv_raise(L, "Busy", "another file of this log is being compressed");
}

/*** s:follow() -> Follower
 * Of what is written from now on. */
static int l_follow(lua_State *L) {
  return lv_push_follower(L, lv_check_sink(L, 1));
}

/* ---- looking ---- */

/*** s:error() -> error | nil
 * Why nothing can be written now. */
static int l_error(lua_State *L) {
  const box *b = lv_check_sink(L, 1);
  return push_error(L, b, b->s->error);
}

/*** s:rotate_error() -> error | nil */
static int l_rotate_error(lua_State *L) {
  const box *b = lv_check_sink(L, 1);
  return push_error(L, b, b->s->rotate_error);
}

/*** s:gap() -> bytes, lines
 * The last gap. */
static int l_gap(lua_State *L) {
  const box *b = lv_check_sink(L, 1);
  lua_pushinteger(L, (lua_Integer)b->s->gap_bytes);
  lua_pushinteger(L, (lua_Integer)b->s->gap_lines);
  return 2;
}

static void set_count(lua_State *L, const char *name, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

/*** s:stats() -> {bytes, dropped, rotations, size}
 * As of the end of the last job. */
static int l_stats(lua_State *L) {
  const lv_sink *s = lv_check_sink(L, 1)->s;
  lua_createtable(L, 0, 4);
  set_count(L, "bytes", s->bytes);
  set_count(L, "dropped", s->dropped + s->backlog.lost);
  set_count(L, "rotations", s->rotations);
  set_count(L, "size", s->size);
  return 1;
}

static int push_bytes(lua_State *L, const lv_buf *b) {
  size_t n = lv_buf_size(b);
  lua_pushlstring(L, n > 0 ? lv_buf_bytes(b) : "", n);
  return 1;
}

/*** s:recent() -> string
 * The newest of what went to no file, at most 128 KiB. */
static int l_recent(lua_State *L) {
  return push_bytes(L, &lv_check_sink(L, 1)->s->recent);
}

/*** s:tap(on)
 * Copy what comes, for s:take(): nothing more comes before that is called. */
static int l_tap(lua_State *L) {
  lv_sink_tap(lv_check_sink(L, 1)->s, lua_toboolean(L, 2));
  return 0;
}

/*** s:take() -> string
 * What was tapped. */
static int l_take(lua_State *L) {
  lv_sink *s = lv_check_sink(L, 1)->s;
  push_bytes(L, &s->tap);
  lv_sink_taken(s);
  return 1;
}

/* ---- closing ---- */

/*** s:close() -> integer
 * Write what is there, if that is possible now, and close all. Waits. How many
 * bytes it was not possible for. */
static int l_close(lua_State *L) {
  box *b = check_box(L);
  lua_settop(L, 1);
  if (b->s == NULL) return 0;
  lv_sink_close(b->s);
  return wait_for(L, CLOSED);
}

static int l_gc(lua_State *L) {
  box *b = lua_touserdata(L, 1);
  lv_list_del(&b->link);
  if (b->s) lv_sink_release(b->s);
  b->s = NULL;
  return 0;
}

/* ---- the hub ---- */

static int next_done(lua_State *L, int status, lua_KContext ctx);

static lv_abort abort_next(lv_task *t, void *op) {
  lv_sink_hub *hub = op;
  (void)t;
  hub->listener = NULL;
  return LV_STOPPED;
}

/*** sink.next() -> id, news
 * Waits for news of a sink; one task may. */
static int l_next(lua_State *L) {
  lv_sink_hub *hub = lua_touserdata(L, lua_upvalueindex(1));
  lv_list *node = lv_list_pop(&hub->news);
  if (node) {
    box *b = LV_OF(node, box, link);
    lua_pushinteger(L, b->id);
    lua_pushinteger(L, b->news);
    b->news = 0;
    return 2;
  }
  lv_task *t = lv_task_check(L);
  if (hub->listener) return lv_raise(L, "Busy", "another task listens");
  hub->listener = t;
  return lv_park(L, t, "news of the logs", hub, abort_next, next_done);
}

static int next_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  return t->status == -ECANCELED ? lv_raise_cancelled(L, t) : l_next(L);
}

static int l_hub_gc(lua_State *L) {
  lv_sink_hub *hub = lua_touserdata(L, 1);
  if (hub->sinks) lv_sinks_unref(hub->sinks);
  hub->sinks = NULL;
  return 0;
}

static void push_hub(lua_State *L) {
  lv_sink_hub *hub = lua_newuserdatauv(L, sizeof *hub, 0);
  *hub = (lv_sink_hub){.sinks = NULL};
  lv_list_init(&hub->news);
  luaL_setmetatable(L, HUB);
  hub->sinks = lv_sinks_new();
  if (hub->sinks == NULL) luaL_error(L, "not enough memory");
}

static void make_class(lua_State *L) {
  static const luaL_Reg methods[] = {{"change", l_change},
                                     {"close", l_close},
                                     {"drained", l_drained},
                                     {"error", l_error},
                                     {"follow", l_follow},
                                     {"gap", l_gap},
                                     {"handed", l_handed},
                                     {"input", l_input},
                                     {"merge", l_merge},
                                     {"prepare", l_prepare},
                                     {"recent", l_recent},
                                     {"reopen", l_reopen},
                                     {"rotate_error", l_rotate_error},
                                     {"stats", l_stats},
                                     {"take", l_take},
                                     {"tap", l_tap},
                                     {NULL, NULL}};
  static const luaL_Reg hub_meta[] = {{"__gc", l_hub_gc}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", l_gc}, {NULL, NULL}};
  lv_make_class(L, HUB, NULL, hub_meta);
  lv_make_class(L, METATABLE, methods, meta);
}

static void set_news(lua_State *L) {
  lua_createtable(L, 0, 7);
  set_count(L, "tapped", LV_SINK_TAPPED);
  set_count(L, "pressed", LV_SINK_PRESSED);
  set_count(L, "relieved", LV_SINK_RELIEVED);
  set_count(L, "rotated", LV_SINK_ROTATED);
  set_count(L, "unrotated", LV_SINK_UNROTATED);
  set_count(L, "gap", LV_SINK_GAP);
  lua_setfield(L, -2, "news");
}

int lv_open_sink(lua_State *L) {
  static const luaL_Reg functions[] = {{"open", l_open},
                                       {"next", l_next},
                                       {"tail", lv_l_log_tail},
                                       {NULL, NULL}};
  make_class(L);
  lv_make_follower_class(L);
  luaL_newlibtable(L, functions);
  push_hub(L);
  luaL_setfuncs(L, functions, 1);
  set_news(L);
  return 1;
}
