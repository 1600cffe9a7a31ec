/* bind/sinkfollow.c — Reading logs: those who follow one, and the last lines.
 * @module luvisor.core.sink */
#include "bind/sink.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/task.h"
#include "core/filejob.h"
#include "core/tailjob.h"
#include "os/fd.h"

#include <errno.h>
#include <lauxlib.h>
#include <unistd.h>

static const char METATABLE[] = "luvisor.LogFollower";
static const char TAIL[] = "luvisor.log_tail";

enum { PIECE = 64 * 1024 };

typedef struct {
  lv_follower f;
  lv_sink_box *sink; /* kept by the user value; NULL: closed */
  lv_filejob *job;
  lv_task *task;  /* that reads */
  lv_buf bytes;   /* read, and not returned yet */
  ssize_t result; /* of the last job */
  bool gap;       /* before what it returns next */
  bool grows;     /* the file that is read, or did when that began */
  unsigned seen;  /* jobs of the sink that were done when it read last */
} box;

/* ---- following ---- */

int lv_push_follower(lua_State *L, lv_sink_box *sink) {
  lv_host_check_open(L);
  box *b = lua_newuserdatauv(L, sizeof *b, 1);
  *b = (box){.seen = sink->jobs};
  luaL_setmetatable(L, METATABLE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  lv_sink_follow(sink->s, &b->f);
  b->sink = sink;
  return 1;
}

static void on_read(void *arg, lv_buf *bytes, ssize_t result) {
  box *b = arg;
  lv_task *t = b->task;
  b->job = NULL;
  b->task = NULL;
  b->result = result;
  if (result > 0) {
    lv_buf old = b->bytes;
    b->bytes = *bytes;
    *bytes = old;
  }
  if (t) lv_wake(t, 0);
}

/* The disk may take its time; what it gives is for who reads next. */
static lv_abort abort_read(lv_task *t, void *op) {
  (void)t;
  ((box *)op)->task = NULL;
  return LV_STOPPED;
}

static int read_done(lua_State *L, int status, lua_KContext ctx);

static int push_taken(lua_State *L, box *b, lv_buf *bytes) {
  size_t n = lv_buf_size(bytes);
  lua_pushlstring(L, n > 0 ? lv_buf_bytes(bytes) : "", n);
  lv_buf_fini(bytes);
  lua_pushboolean(L, b->gap);
  b->gap = false;
  return 2;
}

/* The gap has come to where we read. */
static void reach_gap(box *b) {
  b->gap = b->gap || b->f.gap;
  b->f.gap = false;
}

static void start_reading(lua_State *L, box *b, uv_loop_t *loop) {
  int rc = lv_filejob_read(&b->job, loop, b->f.files[0], PIECE, on_read, b);
  if (rc < 0) lv_raise_os(L, rc, "read", "a log");
  b->grows = b->f.n == 1;
}

static int read_file(lua_State *L, box *b) {
  lv_task *t = lv_task_check(L);
  if (b->job == NULL) start_reading(L, b, &t->host->rt.loop);
  b->task = t;
  return lv_park(L, t, "a log file", b, abort_read, read_done);
}

static int read_on(lua_State *L, box *b) {
  if (b->sink == NULL) return 0;
  if (lv_buf_size(&b->bytes) > 0) return push_taken(L, b, &b->bytes);
  if (b->job) return read_file(L, b);
  if (lv_buf_size(&b->f.bytes) > 0) return push_taken(L, b, &b->f.bytes);
  if (b->f.n > 0) return read_file(L, b);
  reach_gap(b);
  return b->gap ? push_taken(L, b, &b->bytes) : 0;
}

static int read_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  box *b = lua_touserdata(L, 1);
  (void)status, (void)ctx;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  if (b->sink == NULL) return 0;
  if (b->result < 0) return lv_raise_os(L, (int)b->result, "read", "a log");
  if (b->result == 0 && b->f.n <= 1) return 0;
  if (b->result == 0 && !b->grows) {
    lv_follower_next(&b->f);
    reach_gap(b);
  }
  return read_on(L, b);
}

/*** f:read() -> string, gap | nil
 * What has come since, or nil if nothing has. gap: something is missing before
 * it, as it was read too slowly. Waits for the disk alone. */
static int l_read(lua_State *L) {
  box *b = luaL_checkudata(L, 1, METATABLE);
  lua_settop(L, 1);
  if (b->task) return lv_raise(L, "Busy", "another task reads this log");
  if (b->sink) b->seen = b->sink->jobs;
  return read_on(L, b);
}

static int wait_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  return t->status == -ECANCELED ? lv_raise_cancelled(L, t) : 0;
}

/*** f:is_over() -> boolean
 * Nothing will come any more. */
static int l_is_over(lua_State *L) {
  const box *b = luaL_checkudata(L, 1, METATABLE);
  lua_pushboolean(L,
                  b->sink == NULL || b->sink->s == NULL || b->sink->s->closed);
  return 1;
}

/*** f:has_joined() -> boolean
 * Is it where it will read on? */
static int l_has_joined(lua_State *L) {
  const box *b = luaL_checkudata(L, 1, METATABLE);
  lua_pushboolean(L, !b->f.joins);
  return 1;
}

/*** f:wait()
 * Until something may have come since the last read. */
static int l_wait(lua_State *L) {
  box *b = luaL_checkudata(L, 1, METATABLE);
  lua_settop(L, 1);
  bool idle = b->sink && b->sink->s && !b->sink->s->closed;
  if (!idle || b->sink->jobs != b->seen) return 0;
  return lv_sink_box_park(L, b->sink, wait_done);
}

/* A file that a thread reads now is closed by that. */
static void shut(box *b) {
  if (b->job) {
    lv_filejob_abandon(b->job);
    b->f.files[0] = -1;
  }
  b->job = NULL;
  b->sink = NULL;
  lv_follower_fini(&b->f);
  lv_buf_fini(&b->bytes);
}

/*** f:close()
 * Who reads gets nil. Twice is harmless. */
static int l_close(lua_State *L) {
  box *b = luaL_checkudata(L, 1, METATABLE);
  lv_task *t = b->task;
  b->task = NULL;
  shut(b);
  if (t) lv_wake(t, 0);
  return 0;
}

static int l_gc(lua_State *L) {
  shut(lua_touserdata(L, 1));
  return 0;
}

/* ---- the last lines ---- */

typedef struct {
  lv_tailjob *job;
  lv_task *task;
} tail_box;

/* Stack of all here: path, n, most, follower or nil, tail_box */
enum { PATH = 1, LINES, MOST, FOLLOWER, BOX };

static void on_tail(void *arg) {
  lv_wake(((tail_box *)arg)->task, 0);
}

static lv_abort abort_tail(lv_task *t, void *op) {
  tail_box *b = op;
  (void)t;
  lv_tailjob_abandon(b->job);
  b->job = NULL;
  return LV_STOPPED;
}

static int tail_gc(lua_State *L) {
  tail_box *b = lua_touserdata(L, 1);
  if (b->job) lv_tailjob_free(b->job);
  b->job = NULL;
  return 0;
}

static int tail_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  const tail_box *b = lua_touserdata(L, BOX);
  (void)status, (void)ctx;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  const lv_tailjob *job = b->job;
  if (job->rc < 0)
    return lv_raise_os(L, job->rc, "read", lua_tostring(L, PATH));
  size_t n = lv_buf_size(&job->tail.bytes);
  lua_pushlstring(L, n > 0 ? lv_buf_bytes(&job->tail.bytes) : "", n);
  lua_pushinteger(L, job->tail.number);
  lua_pushinteger(L, (lua_Integer)job->tail.left);
  return 3;
}

/* Where the follower stands; it has read nothing yet. */
static void begin_at(lv_tail_order *order, const box *f) {
  if (f->f.n == 0) return;
  order->end = lseek(f->f.files[0], 0, SEEK_CUR);
  order->fd = lv_fd_dup(f->f.files[0]);
}

static size_t check_count(lua_State *L, int arg) {
  lua_Integer n = luaL_checkinteger(L, arg);
  return n > 0 ? (size_t)n : 0;
}

/*** sink.tail(path, n, most[, follower]) -> string, number, left
 * The last n lines of a log, over its files; at most `most` bytes. With a
 * follower those before what that will read. If the next older file is a
 * compressed one, its number, and how many lines are still wanted; else 0, 0.
 * Waits. */
int lv_l_log_tail(lua_State *L) {
  lv_tail_order order = {.name = luaL_checkstring(L, PATH), .fd = -1};
  order.lines = check_count(L, LINES);
  order.most = check_count(L, MOST);
  lua_settop(L, FOLLOWER);
  const box *f = luaL_testudata(L, FOLLOWER, METATABLE);
  lv_task *t = lv_task_check(L);
  tail_box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (tail_box){.task = t};
  luaL_setmetatable(L, TAIL);
  if (f) begin_at(&order, f);
  int rc = lv_tailjob_start(&b->job, &t->host->rt.loop, &order, on_tail, b);
  if (rc < 0) return luaL_error(L, "not enough memory");
  return lv_park(L, t, "a log file", b, abort_tail, tail_done);
}

void lv_make_follower_class(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"read", l_read},       {"wait", l_wait},   {"has_joined", l_has_joined},
      {"is_over", l_is_over}, {"close", l_close}, {NULL, NULL}};
  static const luaL_Reg tail_meta[] = {{"__gc", tail_gc}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", l_gc}, {NULL, NULL}};
  lv_make_class(L, TAIL, NULL, tail_meta);
  lv_make_class(L, METATABLE, methods, meta);
}
