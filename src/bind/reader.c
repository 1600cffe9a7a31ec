/* bind/reader.c — Reader: bytes of a stream; lines.c has its lines.
 *
 * Each method looks into the buffer first and answers without yielding if what
 * it wants is there. Else the task parks with a note of how much it needs, and
 * the reader's callback wakes it when that has come. Bytes leave the buffer
 * only when they become a result, so a cancelled read loses none.
 * @module luvisor.stream
 * @type Reader */
#include "bind/reader.h"

#include "bind/error.h"
#include "bind/host.h"
#include "os/fd.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

static const char METATABLE[] = "luvisor.Reader";

typedef lv_reader_box box;

enum { IN_PLACE_FROM = 1 << 20 }; /* bytes that are dear to copy */

lv_reader_box *lv_to_reader(lua_State *L, int arg) {
  return luaL_testudata(L, arg, METATABLE);
}

static box *check_box(lua_State *L, int arg) {
  box *b = luaL_testudata(L, arg, METATABLE);
  if (b == NULL)
    lv_usage(L, "expected a Reader, got %s (methods are called with a colon)",
             luaL_typename(L, arg));
  return b;
}

lv_reader_box *lv_check_reader(lua_State *L, int arg) {
  box *b = check_box(L, arg);
  if (b->r == NULL) lv_raise(L, "Closed", "the reader is closed");
  return b;
}

/* ---- waiting ---- */

static void on_data(lv_reader *r, void *arg) {
  box *b = arg;
  lv_task *t = b->task;
  if (t && t->state == LV_PARKED && lv_reader_box_has(b, r->need))
    lv_wake(t, 0);
}

/* What was being looked for may be another thing next time. */
static lv_abort abort_read(lv_task *t, void *op) {
  box *b = op;
  (void)t;
  b->task = NULL;
  b->scanned = 0;
  lv_reader_need(b->r, 0);
  return LV_STOPPED;
}

static void check_failure(lua_State *L, const box *b) {
  if (b->failure == LUA_NOREF) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->failure);
  lua_error(L);
}

void lv_reader_box_check_free(lua_State *L, const box *b) {
  check_failure(L, b);
  if (b->task)
    lv_raise(L, "Busy", "another task is reading this stream already");
}

int lv_reader_box_park(lua_State *L, box *b, size_t need, lua_KFunction k) {
  lv_task *t = lv_task_check(L);
  int rc = lv_reader_need(b->r, need);
  if (rc < 0) return lv_raise_os(L, rc, "read", NULL);
  b->task = t;
  return lv_park(L, t, "input from a stream", b, abort_read, k);
}

lv_reader_box *lv_reader_box_woken(lua_State *L) {
  lv_task *t = lv_task_of(L);
  box *b = lua_touserdata(L, 1);
  bool is_cancelled = b->r == NULL && lv_task_is_cancelled(t); /* and closed */
  if (t->status == -ECANCELED || is_cancelled) lv_raise_cancelled(L, t);
  if (b->r == NULL) lv_raise(L, "Closed", "the reader was closed meanwhile");
  b->task = NULL;
  lv_reader_need(b->r, 0);
  check_failure(L, b);
  return b;
}

void lv_reader_box_check_failed(lua_State *L, const box *b) {
  if (b->r->error < 0) lv_raise_os(L, b->r->error, "read", NULL);
}

/* All that is buffered, made the string itself; false: it must be copied. */
static bool push_in_place(lua_State *L, box *b) {
  lv_alloc *alloc = &lv_host_of(L)->alloc;
  lv_buf *buf = &b->r->buf;
  size_t n = lv_buf_size(buf);
  if (alloc->header == 0) return false;
  char *block = lv_buf_detach(buf, alloc->header, 1);
  if (block == NULL) return false;
  lv_alloc_push_block(L, alloc, block, n);
  b->scanned = 0;
  lv_reader_consume(b->r, 0);
  return true;
}

void lv_reader_box_take(lua_State *L, box *b, size_t n, size_t cut) {
  if (n >= IN_PLACE_FROM && cut == 0 && n == lv_buf_size(&b->r->buf) &&
      push_in_place(L, b))
    return;
  lua_pushlstring(L, n > 0 ? lv_buf_bytes(&b->r->buf) : "", n - cut);
  if (n == 0) return;
  b->scanned = 0;
  lv_reader_consume(b->r, n);
}

/* ---- read ---- */

static int take_some(lua_State *L, box *b) {
  size_t most = (size_t)lua_tointeger(L, 2), size = lv_reader_box_size(b);
  if (size > 0) {
    lv_reader_box_take(L, b, size < most ? size : most, 0);
    return 1;
  }
  lv_reader_box_check_failed(L, b);
  lua_pushnil(L);
  return 1;
}

static int some_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return take_some(L, lv_reader_box_woken(L));
}

/* Stack: reader, n */
static int read_some(lua_State *L, box *b) {
  lv_reader_box_check_free(L, b);
  if (lv_reader_box_has(b, 1)) return take_some(L, b);
  return lv_reader_box_park(L, b, 1, some_done);
}

static int take_all(lua_State *L, box *b) {
  b->r->bulk = false;
  lv_reader_box_check_failed(L, b);
  lv_reader_box_take(L, b, lv_reader_box_size(b), 0);
  return 1;
}

static int all_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return take_all(L, lv_reader_box_woken(L));
}

static int read_all(lua_State *L, box *b) {
  lv_reader_box_check_free(L, b);
  if (lv_reader_is_done(b->r)) return take_all(L, b);
  b->r->bulk = true;
  return lv_reader_box_park(L, b, SIZE_MAX, all_done);
}

/*** r:read([n]) -> string | nil
 * Up to n bytes as soon as there is one, nil at the end. Without n, or with -1,
 * all to the end, "" if nothing is left. Waits while there is nothing. (asyncio
 * rule S17)
 * @raise Busy: another task reads; Closed; OSError: reading failed, and what
 * came before is taken or, in a read to the end, can still be had by read(n) */
static int l_read(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lua_Integer n = lua_isnoneornil(L, 2) ? -1 : lv_check_size(L, 2, "read: n");
  lua_settop(L, 2);
  if (n < 0) return read_all(L, b);
  if (n > 0) return read_some(L, b);
  lua_pushliteral(L, "");
  return 1;
}

/* ---- readexactly ---- */

static int take_exactly(lua_State *L, box *b) {
  size_t n = (size_t)lua_tointeger(L, 2), size = lv_reader_box_size(b);
  if (size >= n) {
    lv_reader_box_take(L, b, n, 0);
    return 1;
  }
  lv_reader_box_check_failed(L, b);
  lv_push_error(L, "IncompleteRead",
                "the stream ended after %I of %I bytes expected",
                (lua_Integer)size, (lua_Integer)n);
  lv_reader_box_take(L, b, size, 0);
  lua_setfield(L, -2, "partial");
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, "expected");
  return lua_error(L);
}

static int exactly_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return take_exactly(L, lv_reader_box_woken(L));
}

/*** r:readexactly(n) -> string
 * n bytes, waiting for them. (asyncio rule S18)
 * @raise IncompleteRead: the stream ended before, with what there was as
 * `partial` (taken) and n as `expected`; Busy, Closed, OSError */
static int l_readexactly(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lua_Integer n = lv_check_size(L, 2, "readexactly: n");
  if (n < 0) return lv_usage(L, "readexactly: n must not be negative");
  lv_reader_box_check_free(L, b);
  if (lv_reader_box_has(b, (size_t)n)) return take_exactly(L, b);
  return lv_reader_box_park(L, b, (size_t)n, exactly_done);
}

/* ---- chunks ---- */

static int iterate_chunks(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, lua_upvalueindex(2));
  return read_some(L, lv_check_reader(L, 1));
}

/*** r:chunks([n]) -> iterator
 * `for bytes in r:chunks(1024) do`: read(n) until the end; without n, whatever
 * is there. */
static int l_chunks(lua_State *L) {
  lv_check_reader(L, 1);
  lua_Integer n =
      lua_isnoneornil(L, 2) ? INT64_MAX : lv_check_size(L, 2, "chunks: n");
  if (n <= 0) return lv_usage(L, "chunks: n must be positive");
  lua_settop(L, 1);
  lua_pushinteger(L, n);
  lua_pushcclosure(L, iterate_chunks, 2);
  return 1;
}

/* ---- looking ahead, giving back ---- */

static int take_peek(lua_State *L, box *b) {
  size_t most = (size_t)lua_tointeger(L, 2), size = lv_reader_box_size(b);
  if (size > 0) {
    lua_pushlstring(L, lv_buf_bytes(&b->r->buf), size < most ? size : most);
    return 1;
  }
  lv_reader_box_check_failed(L, b);
  lua_pushnil(L);
  return 1;
}

static int peek_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return take_peek(L, lv_reader_box_woken(L));
}

/*** r:peek(n) -> string | nil
 * Up to n bytes that are there, without taking them; waits for the first, nil
 * at the end. */
static int l_peek(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lua_Integer n = lv_check_size(L, 2, "peek: n");
  if (n <= 0) return lv_usage(L, "peek: n must be positive");
  lv_reader_box_check_free(L, b);
  if (lv_reader_box_has(b, 1)) return take_peek(L, b);
  return lv_reader_box_park(L, b, 1, peek_done);
}

/*** r:unread(s)
 * Put s back: it is read next. Never waits.
 * @raise Busy, Closed */
static int l_unread(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  if (lua_type(L, 2) != LUA_TSTRING)
    return lv_usage(L, "unread: expected a string, got %s",
                    luaL_typename(L, 2));
  lv_reader_box_check_free(L, b);
  size_t n;
  const char *s = lua_tolstring(L, 2, &n);
  b->scanned = 0;
  if (lv_buf_prepend(&b->r->buf, s, n) < 0)
    return luaL_error(L, "not enough memory");
  return 0;
}

/* ---- what it is like ---- */

/*** r:at_eof() -> boolean
 * The end has come and nothing is left. Never waits, so false does not promise
 * that something will come. */
static int l_at_eof(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lua_pushboolean(L, b->r->eof && lv_reader_box_size(b) == 0);
  return 1;
}

/*** r:buffered() -> integer
 * Bytes that were read ahead and can be had without waiting. */
static int l_buffered(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)lv_reader_box_size(lv_check_reader(L, 1)));
  return 1;
}

/*** r:fileno() -> integer | nil
 * The descriptor; nil after the end. */
static int l_fileno(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  if (b->r->io.fd < 0) return 0;
  lua_pushinteger(L, b->r->io.fd);
  return 1;
}

static size_t *property(lua_State *L, box *b) {
  const char *key = lua_tostring(L, 2);
  if (key && strcmp(key, "max_line") == 0) return &b->max_line;
  if (key && strcmp(key, "limit") == 0 && b->r) return &b->r->limit;
  return NULL;
}

static int l_index(lua_State *L) {
  box *b = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  const size_t *p = property(L, b);
  if (p == NULL) return 0;
  lua_pushinteger(L, (lua_Integer)*p);
  return 1;
}

static int l_newindex(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  size_t *p = property(L, b);
  const char *key = luaL_tolstring(L, 2, NULL);
  if (p == NULL)
    return lv_usage(L, "a reader has no field \"%s\" that can be set", key);
  lua_Integer n = lv_check_size(L, 3, key);
  if (n <= 0) return lv_usage(L, "%s must be positive", key);
  *p = (size_t)n;
  lv_reader_update(b->r);
  return 0;
}

static int l_tostring(lua_State *L) {
  const box *b = check_box(L, 1);
  if (b->r == NULL)
    lua_pushliteral(L, "reader (closed)");
  else if (b->r->eof)
    lua_pushfstring(L, "reader (at the end, %I bytes buffered)",
                    (lua_Integer)lv_reader_box_size(b));
  else
    lua_pushfstring(L, "reader (fd %d, %I bytes buffered)", b->r->io.fd,
                    (lua_Integer)lv_reader_box_size(b));
  return 1;
}

/* ---- for other modules and for tests ---- */

/* r:_take() -> string: what is buffered. */
static int l_take(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lv_reader_box_take(L, b, lv_reader_box_size(b), 0);
  return 1;
}

/* r:_in_kernel() -> integer | nil: bytes that wait in the pipe; nil after the
 * end. */
static int l_in_kernel(lua_State *L) {
  const box *b = lv_check_reader(L, 1);
  if (b->r->io.fd < 0) return 0;
  lua_pushinteger(L, lv_fd_unread(b->r->io.fd));
  return 1;
}

/* ---- closing ---- */

void lv_reader_box_interrupt(box *b) {
  lv_task *t = b->task;
  if (t == NULL || t->state != LV_PARKED || t->abort == NULL) return;
  lv_abort_fn abort = t->abort;
  t->abort = NULL;
  abort(t, t->op);
  lv_wake(t, -EBADF);
}

void lv_reader_box_close(box *b) {
  lv_reader_box_interrupt(b);
  lv_reader *r = b->r;
  b->r = NULL;
  b->task = NULL;
  if (r) lv_reader_free(r);
}

/*** r:close()
 * Close the descriptor and drop what is buffered; a task that reads gets
 * Closed. Twice is harmless. */
static int l_close(lua_State *L) {
  lv_reader_box_close(check_box(L, 1));
  return 0;
}

static int l_gc(lua_State *L) {
  box *b = lua_touserdata(L, 1);
  if (b->r) lv_reader_free(b->r);
  b->r = NULL;
  luaL_unref(L, LUA_REGISTRYINDEX, b->failure);
  b->failure = LUA_NOREF;
  return 0;
}

/* ---- making one ---- */

lv_reader_box *lv_push_reader_box(lua_State *L) {
  lv_host_check_open(L);
  box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (box){.max_line = LV_MAX_LINE, .failure = LUA_NOREF};
  luaL_setmetatable(L, METATABLE);
  return b;
}

int lv_reader_box_open(lv_reader_box *b, lv_rt *rt, lv_io io, size_t limit) {
  int rc = lv_reader_open(&b->r, rt, io, limit);
  if (rc < 0) return rc;
  b->r->fn = on_data;
  b->r->arg = b;
  return 0;
}

void lv_make_reader_class(lua_State *L) {
  static const luaL_Reg methods[] = {{"read", l_read},
                                     {"readexactly", l_readexactly},
                                     {"readline", lv_l_readline},
                                     {"readuntil", lv_l_readuntil},
                                     {"lines", lv_l_lines},
                                     {"chunks", l_chunks},
                                     {"peek", l_peek},
                                     {"unread", l_unread},
                                     {"copy_to", lv_l_copy_to},
                                     {"at_eof", l_at_eof},
                                     {"buffered", l_buffered},
                                     {"fileno", l_fileno},
                                     {"close", l_close},
                                     {"_take", l_take},
                                     {"_in_kernel", l_in_kernel},
                                     {"_line_now", lv_l_line_now},
                                     {"_either", lv_l_either},
                                     {"_feed", lv_l_feed},
                                     {"_feed_eof", lv_l_feed_eof},
                                     {"_fail", lv_l_fail},
                                     {"_hold", lv_l_hold},
                                     {"_start", lv_l_start},
                                     {"_attach", lv_l_attach},
                                     {"_state", lv_l_state},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__newindex", l_newindex},
                                  {"__tostring", l_tostring},
                                  {"__close", l_close},
                                  {"__gc", l_gc},
                                  {NULL, NULL}};
  luaL_newmetatable(L, METATABLE);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_pushcclosure(L, l_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
