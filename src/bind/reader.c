/* bind/reader.c — Reader: bytes, lines and chunks of a stream.
 *
 * Each method looks into the buffer first and answers without yielding if what
 * it wants is there. Else the task parks with a note of what it wants, and the
 * reader's callback wakes it when that has come. Bytes leave the buffer only
 * when they become a result, so a cancelled read loses none.
 * @module luvisor.stream
 * @type Reader */
#include "bind/error.h"
#include "bind/host.h"
#include "bind/stream.h"
#include "os/fd.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

static const char METATABLE[] = "luvisor.Reader";

typedef lv_reader_box box;

lv_reader_box *lv_to_reader(lua_State *L, int arg) {
  return luaL_testudata(L, arg, METATABLE);
}

lv_reader_box *lv_check_reader(lua_State *L, int arg) {
  box *b = luaL_checkudata(L, arg, METATABLE);
  if (b->r == NULL) lv_raise(L, "Closed", "the reader is closed");
  return b;
}

/* ---- is it there? ---- */

static size_t size_of(const box *b) {
  return lv_buf_size(&b->r->buf);
}

/* Where the first separator ends, 0 if there is none yet. Of several, the one
 * that ends first counts, the shortest of those (asyncio rule S19). */
typedef struct {
  const char *bytes[8];
  size_t sizes[8];
  int n;
  size_t longest;
} seps;

static const seps NEWLINE = {{"\n"}, {1}, 1, 1};

static size_t find_sep(box *b, const seps *s, size_t *sep_size) {
  const char *bytes = lv_buf_bytes(&b->r->buf);
  size_t size = size_of(b), end = 0;
  for (int i = 0; i < s->n; i++) {
    const char *at = memmem(bytes + b->scanned, size - b->scanned, s->bytes[i],
                            s->sizes[i]);
    if (at == NULL) continue;
    size_t this_end = (size_t)(at - bytes) + s->sizes[i];
    if (end == 0 || this_end < end ||
        (this_end == end && s->sizes[i] < *sep_size)) {
      end = this_end;
      *sep_size = s->sizes[i];
    }
  }
  if (end == 0) b->scanned = size > s->longest - 1 ? size - s->longest + 1 : 0;
  return end;
}

static bool is_there(box *b, const lv_want *want, const seps *s) {
  size_t size = size_of(b), sep_size;
  if (lv_reader_is_done(b->r)) return true;
  switch (want->what) {
  case LV_WANT_SOME: return size > 0;
  case LV_WANT_EXACTLY: return size >= want->n;
  case LV_WANT_ALL: return size > want->n;
  case LV_WANT_UNTIL:
    return size > b->scanned + s->longest - 1
               ? find_sep(b, s, &sep_size) > 0 || size > want->n + s->longest
               : false;
  }
  return false;
}

/* Only newlines are looked for in the callback; other separators' strings are
 * Lua's, so their task looks itself each time something came. */
static void on_data(lv_reader *r, void *arg) {
  box *b = arg;
  (void)r;
  lv_task *t = b->task;
  if (t == NULL || t->state != LV_PARKED) return;
  if (b->want.what == LV_WANT_UNTIL ? true : is_there(b, &b->want, &NEWLINE))
    lv_wake(t, 0);
}

/* ---- waiting ---- */

static lv_abort abort_read(lv_task *t, void *op) {
  box *b = op;
  (void)t;
  b->task = NULL;
  if (b->r) lv_reader_need(b->r, 0);
  return LV_STOPPED;
}

static void check_free(lua_State *L, const box *b) {
  if (b->task)
    lv_raise(L, "Busy", "another task is reading this stream already");
}

static size_t bytes_needed(const lv_want *want) {
  switch (want->what) {
  case LV_WANT_SOME: return 1;
  case LV_WANT_ALL: return want->n < SIZE_MAX ? want->n + 1 : SIZE_MAX;
  case LV_WANT_UNTIL: return want->n + LV_HIGH_WATER;
  case LV_WANT_EXACTLY: break;
  }
  return want->n;
}

static int park(lua_State *L, box *b, lv_want want, lua_KFunction k) {
  lv_task *t = lv_task_check(L);
  int rc = lv_reader_need(b->r, bytes_needed(&want));
  if (rc < 0) return lv_raise_os(L, rc, "read", NULL);
  b->task = t;
  b->want = want;
  return lv_park(L, t, "input from a stream", b, abort_read, k);
}

/* What every continuation does first: the reader again, or an error. */
static box *woken(lua_State *L) {
  lv_task *t = lv_task_of(L);
  if (t->status == -ECANCELED) lv_raise_cancelled(L, t);
  box *b = luaL_checkudata(L, 1, METATABLE);
  b->task = NULL;
  if (b->r == NULL) lv_raise(L, "Closed", "the reader was closed meanwhile");
  lv_reader_need(b->r, 0);
  return b;
}

/* At the end of what came before a failed read: raise that. */
static int raise_if_failed(lua_State *L, const box *b) {
  return b->r->error < 0 ? lv_raise_os(L, b->r->error, "read", NULL) : 0;
}

/* The first n bytes, but for `cut` at their end, pushed and taken. */
static void push_taken(lua_State *L, box *b, size_t n, size_t cut) {
  lua_pushlstring(L, size_of(b) ? lv_buf_bytes(&b->r->buf) : "", n - cut);
  if (n == 0) return;
  b->scanned = 0;
  lv_reader_consume(b->r, n);
}

/* ---- read ---- */

static int take_some(lua_State *L, box *b) {
  size_t most = (size_t)lua_tointeger(L, 2), size = size_of(b);
  if (size == 0) {
    raise_if_failed(L, b);
    lua_pushnil(L);
  } else {
    push_taken(L, b, size < most ? size : most, 0);
  }
  return 1;
}

static int some_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return take_some(L, woken(L));
}

static int take_all(lua_State *L, box *b) {
  raise_if_failed(L, b);
  b->r->bulk = false;
  if (size_of(b) > b->most)
    return lv_raise(L, "LimitOverrun", "more than %I bytes",
                    (lua_Integer)b->most);
  push_taken(L, b, size_of(b), 0);
  return 1;
}

static int all_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return take_all(L, woken(L));
}

/*** r:read([n]) -> string | nil
 * Up to n bytes as soon as there is one, nil at the end. Without n, or with -1,
 * all to the end, "" if nothing is left. Waits while there is nothing; raises
 * Busy if another task reads, OSError if reading failed. (asyncio rule S17) */
static int l_read(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lua_Integer n = lua_isnoneornil(L, 2) ? -1 : lv_check_size(L, 2, "read: n");
  check_free(L, b);
  lua_settop(L, 2);
  if (n < 0) {
    lv_want want = {LV_WANT_ALL, b->most};
    if (is_there(b, &want, &NEWLINE)) return take_all(L, b);
    b->r->bulk = true;
    return park(L, b, want, all_done);
  }
  if (n == 0) {
    lua_pushliteral(L, "");
    return 1;
  }
  lv_want want = {LV_WANT_SOME, 1};
  if (is_there(b, &want, &NEWLINE)) return take_some(L, b);
  return park(L, b, want, some_done);
}

/* ---- readexactly ---- */

static int take_exactly(lua_State *L, box *b) {
  size_t n = (size_t)lua_tointeger(L, 2), size = size_of(b);
  if (size >= n) {
    push_taken(L, b, n, 0);
    return 1;
  }
  raise_if_failed(L, b);
  lv_push_error(L, "IncompleteRead",
                "the stream ended after %I of %I bytes expected",
                (lua_Integer)size, (lua_Integer)n);
  push_taken(L, b, size, 0);
  lua_setfield(L, -2, "partial");
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, "expected");
  return lua_error(L);
}

static int exactly_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return take_exactly(L, woken(L));
}

/*** r:readexactly(n) -> string
 * n bytes, waiting for them. At an earlier end raises IncompleteRead with what
 * there was as `partial` (taken) and n as `expected`. (asyncio rule S18) */
static int l_readexactly(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lua_Integer n = lv_check_size(L, 2, "readexactly: n");
  if (n < 0) return lv_usage(L, "readexactly: n must not be negative");
  check_free(L, b);
  lv_want want = {LV_WANT_EXACTLY, (size_t)n};
  if (is_there(b, &want, &NEWLINE)) return take_exactly(L, b);
  return park(L, b, want, exactly_done);
}

/* ---- lines ---- */

static int raise_overrun(lua_State *L, box *b, size_t max, const char *what) {
  lv_push_error(L, "LimitOverrun", "%s longer than %I bytes", what,
                (lua_Integer)max);
  lua_pushinteger(L, (lua_Integer)size_of(b));
  lua_setfield(L, -2, "consumed");
  return lua_error(L);
}

enum { NOT_YET = -1 };

/* The number of results, or NOT_YET. */
static int take_line(lua_State *L, box *b, bool keep) {
  size_t sep_size, size = size_of(b);
  size_t end = size > 0 ? find_sep(b, &NEWLINE, &sep_size) : 0;
  size_t before = end ? end - 1 : size;
  if (before > b->max_line) return raise_overrun(L, b, b->max_line, "a line");
  if (end) {
    push_taken(L, b, end, keep ? 0 : 1);
    return 1;
  }
  if (!lv_reader_is_done(b->r)) return NOT_YET;
  if (size == 0) {
    raise_if_failed(L, b);
    lua_pushnil(L);
    return 1;
  }
  push_taken(L, b, size, 0);
  return 1;
}

static int next_line(lua_State *L, box *b, bool keep, lua_KFunction k) {
  int n = take_line(L, b, keep);
  if (n != NOT_YET) return n;
  return park(L, b, (lv_want){LV_WANT_UNTIL, b->max_line}, k);
}

static int line_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return next_line(L, woken(L), lua_toboolean(L, 2), line_done);
}

/*** r:readline([keep]) -> string | nil
 * The next line without its "\n", or with it if keep. An unterminated last line
 * is a line; nil at the end. A line longer than max_line (r.max_line, default
 * 1 MiB) raises LimitOverrun and is not touched. (asyncio rule S20, but nothing
 * is lost at the limit) */
static int l_readline(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  check_free(L, b);
  lua_settop(L, 2);
  return next_line(L, b, lua_toboolean(L, 2), line_done);
}

/* The iterator's own stack is reader, keep: as readline's. */
static int iterate_lines(lua_State *L) {
  box *b = lua_touserdata(L, lua_upvalueindex(1));
  if (b->r == NULL) return lv_raise(L, "Closed", "the reader is closed");
  check_free(L, b);
  bool keep = lua_toboolean(L, lua_upvalueindex(2));
  int n = take_line(L, b, keep);
  if (n != NOT_YET) return n;
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushboolean(L, keep);
  return park(L, b, (lv_want){LV_WANT_UNTIL, b->max_line}, line_done);
}

/*** r:lines([keep]) -> iterator
 * `for line in r:lines() do`: readline until the end. */
static int l_lines(lua_State *L) {
  lv_check_reader(L, 1);
  lua_settop(L, 2);
  lua_pushcclosure(L, iterate_lines, 2);
  return 1;
}

static int iterate_chunks(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, lua_upvalueindex(2));
  box *b = lv_check_reader(L, 1);
  check_free(L, b);
  lv_want want = {LV_WANT_SOME, 1};
  if (is_there(b, &want, &NEWLINE)) return take_some(L, b);
  return park(L, b, want, some_done);
}

/*** r:chunks([n]) -> iterator
 * `for bytes in r:chunks(1024) do`: read(n) until the end; without n, whatever
 * is there. */
static int l_chunks(lua_State *L) {
  lv_check_reader(L, 1);
  lua_Integer n =
      lua_isnoneornil(L, 2) ? INT32_MAX : lv_check_size(L, 2, "chunks: n");
  if (n <= 0) return lv_usage(L, "chunks: n must be positive");
  lua_settop(L, 1);
  lua_pushinteger(L, n);
  lua_pushcclosure(L, iterate_chunks, 2);
  return 1;
}

/* ---- readuntil ---- */

/* Argument 2: a string or a list of at most 8. */
static void check_seps(lua_State *L, seps *s) {
  *s = (seps){.n = 1};
  bool list = lua_istable(L, 2);
  if (list) s->n = (int)lua_rawlen(L, 2);
  if (s->n < 1 || s->n > 8)
    lv_usage(L, "readuntil: from 1 to 8 separators, got %d", s->n);
  for (int i = 0; i < s->n; i++) {
    if (list)
      lua_rawgeti(L, 2, i + 1);
    else
      lua_pushvalue(L, 2);
    if (lua_type(L, -1) != LUA_TSTRING)
      lv_usage(L, "readuntil: a separator is a string, got %s",
               luaL_typename(L, -1));
    s->bytes[i] = lua_tolstring(L, -1, &s->sizes[i]);
    lua_pop(L, 1); /* still held by the argument */
    if (s->sizes[i] == 0) lv_usage(L, "readuntil: an empty separator");
    if (s->sizes[i] > s->longest) s->longest = s->sizes[i];
  }
}

static int raise_no_sep(lua_State *L, box *b) {
  raise_if_failed(L, b);
  lv_push_error(L, "IncompleteRead",
                "the stream ended before the separator came");
  push_taken(L, b, size_of(b), 0);
  lua_setfield(L, -2, "partial");
  return lua_error(L);
}

static int until_done(lua_State *L, int status, lua_KContext ctx);

/* Stack: reader, separators, max */
static int until(lua_State *L, box *b) {
  seps s;
  check_seps(L, &s);
  size_t max = (size_t)lua_tointeger(L, 3), sep_size = 0;
  size_t end = size_of(b) > 0 ? find_sep(b, &s, &sep_size) : 0;
  if (end > 0 && end - sep_size > max)
    return raise_overrun(L, b, max,
                         "the separator was found, but what stands before is");
  if (end > 0) {
    push_taken(L, b, end, 0);
    return 1;
  }
  if (size_of(b) > max + s.longest - 1)
    return raise_overrun(L, b, max, "no separator was found in a text");
  if (lv_reader_is_done(b->r)) return raise_no_sep(L, b);
  return park(L, b, (lv_want){LV_WANT_UNTIL, max}, until_done);
}

static int until_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return until(L, woken(L));
}

/*** r:readuntil(separator | {separators} [, {max =}]) -> string
 * Bytes up to and with the separator that ends first. IncompleteRead (with
 * `partial`, taken) at the end; LimitOverrun when more than max bytes (default
 * r.max_line) come before one, with the buffer untouched. (asyncio rule S19) */
static int l_readuntil(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  check_free(L, b);
  lua_settop(L, 3);
  lua_Integer max = (lua_Integer)b->max_line;
  if (lua_istable(L, 3)) {
    lua_getfield(L, 3, "max");
    if (!lua_isnil(L, -1)) max = lv_check_size(L, -1, "readuntil: max");
    lua_settop(L, 3);
  } else if (!lua_isnil(L, 3)) {
    return lv_usage(L, "readuntil: options are a table");
  }
  lua_pushinteger(L, max);
  lua_replace(L, 3);
  b->scanned = 0;
  return until(L, b);
}

/* ---- looking ahead, giving back ---- */

static int take_peek(lua_State *L, box *b) {
  size_t most = (size_t)lua_tointeger(L, 2), size = size_of(b);
  raise_if_failed(L, b);
  if (size == 0)
    lua_pushnil(L);
  else
    lua_pushlstring(L, lv_buf_bytes(&b->r->buf), size < most ? size : most);
  return 1;
}

static int peek_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return take_peek(L, woken(L));
}

/*** r:peek(n) -> string | nil
 * Up to n bytes that are there, without taking them; waits for the first, nil
 * at the end. */
static int l_peek(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lua_Integer n = lv_check_size(L, 2, "peek: n");
  if (n <= 0) return lv_usage(L, "peek: n must be positive");
  check_free(L, b);
  lv_want want = {LV_WANT_SOME, 1};
  if (is_there(b, &want, &NEWLINE)) return take_peek(L, b);
  return park(L, b, want, peek_done);
}

/*** r:unread(s)
 * Put s back: it is read next. Never waits. */
static int l_unread(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  size_t n;
  const char *s = luaL_checklstring(L, 2, &n);
  check_free(L, b);
  b->scanned = 0;
  if (lv_buf_prepend(&b->r->buf, s, n) < 0)
    return luaL_error(L, "not enough memory");
  return 0;
}

/*** r:at_eof() -> boolean
 * The end has come and nothing is left. Never waits, so false does not promise
 * that something will come. */
static int l_at_eof(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lua_pushboolean(L, b->r->eof && size_of(b) == 0);
  return 1;
}

/*** r:buffered() -> integer
 * Bytes that were read ahead and can be had without waiting. */
static int l_buffered(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)size_of(lv_check_reader(L, 1)));
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

/* ---- for process.lua ---- */

/* r:_collect([max]): read to the end in the background, however much it is, or
 * until max bytes are there; never waits. */
static int l_collect(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  check_free(L, b);
  b->most = lua_isnoneornil(L, 2) ? SIZE_MAX : (size_t)luaL_checkinteger(L, 2);
  b->r->bulk = b->r->may_widen = true;
  int rc = lv_reader_need(b->r, b->most < SIZE_MAX ? b->most + 1 : SIZE_MAX);
  return rc < 0 ? lv_raise_os(L, rc, "read", NULL) : 0;
}

static int finish_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  lv_task *t = lv_task_of(L);
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  box *b = luaL_checkudata(L, 1, METATABLE);
  b->task = NULL;
  if (b->r == NULL) return lv_raise(L, "Closed", "the reader was closed");
  lua_pushboolean(L, lv_reader_is_done(b->r));
  return 1;
}

static lv_abort abort_finish(lv_task *t, void *op) {
  (void)t;
  ((box *)op)->task = NULL;
  return LV_STOPPED;
}

/* r:_finish() -> boolean: wait for the end of what _collect began; false if it
 * stopped at its max. Takes nothing. */
static int l_finish(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  check_free(L, b);
  lv_want want = {LV_WANT_ALL, b->most};
  if (is_there(b, &want, &NEWLINE)) {
    lua_pushboolean(L, lv_reader_is_done(b->r));
    return 1;
  }
  lv_task *t = lv_task_check(L);
  b->task = t;
  b->want = want;
  return lv_park(L, t, "the end of a stream", b, abort_finish, finish_done);
}

/* r:_take() -> string: what is buffered. */
static int l_take(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  push_taken(L, b, size_of(b), 0);
  return 1;
}

/* r:_unread_bytes() -> in our buffer and in the pipe, and the pipe's size */
static int l_unread_bytes(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  if (b->r->io.fd < 0) return 0;
  lua_pushinteger(L, lv_fd_unread(b->r->io.fd));
  lua_pushinteger(L, lv_fd_pipe_size(b->r->io.fd));
  lua_pushboolean(L, b->task != NULL);
  return 3;
}

static lv_abort abort_either(lv_task *t, void *op) {
  box **both = op;
  (void)t;
  both[0]->task = both[1]->task = NULL;
  return LV_STOPPED;
}

static int either_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  for (int i = 1; i <= 2; i++) {
    box *b = luaL_checkudata(L, i, METATABLE);
    b->task = NULL;
  }
  return 0;
}

/* either(r1, r2): wait until one of two readers got something. The caller has
 * found no line in either. */
static int l_either(lua_State *L) {
  lua_settop(L, 2);
  box **both = lua_newuserdatauv(L, 2 * sizeof *both, 0);
  for (int i = 0; i < 2; i++) {
    both[i] = lv_check_reader(L, i + 1);
    check_free(L, both[i]);
  }
  lv_task *t = lv_task_check(L);
  for (int i = 0; i < 2; i++) {
    lv_want want = {LV_WANT_UNTIL, both[i]->max_line};
    int rc = lv_reader_is_done(both[i]->r)
                 ? 0
                 : lv_reader_need(both[i]->r, bytes_needed(&want));
    if (rc < 0) return lv_raise_os(L, rc, "read", NULL);
    both[i]->want = want;
  }
  both[0]->task = both[1]->task = t;
  return lv_park(L, t, "lines of two streams", both, abort_either, either_done);
}

/* r:_line_now([keep]) -> line | nil, "end" | nil: never waits */
static int l_line_now(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  check_free(L, b);
  int n = take_line(L, b, lua_toboolean(L, 2));
  if (n != NOT_YET) {
    if (!lua_isnil(L, -1)) return 1;
    lua_pushliteral(L, "end");
    return 2;
  }
  lua_pushnil(L);
  return 1;
}

/* ---- properties, closing ---- */

static void close_box(box *b) {
  lv_task *t = b->task;
  if (t && t->state == LV_PARKED && t->abort) {
    lv_abort_fn abort = t->abort;
    t->abort = NULL;
    abort(t, t->op);
    lv_wake(t, -EBADF);
  }
  lv_reader *r = b->r;
  b->r = NULL;
  if (r) lv_reader_free(r);
}

/*** r:close()
 * Close the descriptor and drop what is buffered; a task that reads gets
 * Closed. Twice is harmless. */
static int l_close(lua_State *L) {
  close_box(luaL_checkudata(L, 1, METATABLE));
  return 0;
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
  return 0;
}

static int l_tostring(lua_State *L) {
  box *b = luaL_checkudata(L, 1, METATABLE);
  if (b->r == NULL)
    lua_pushliteral(L, "reader (closed)");
  else
    lua_pushfstring(L, "reader (fd %d, %I bytes buffered%s)", b->r->io.fd,
                    (lua_Integer)size_of(b), b->r->eof ? ", at the end" : "");
  return 1;
}

static int l_gc(lua_State *L) {
  box *b = lua_touserdata(L, 1);
  if (b->r) lv_reader_free(b->r);
  b->r = NULL;
  return 0;
}

lv_reader_box *lv_push_reader_box(lua_State *L) {
  box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (box){.max_line = LV_MAX_LINE, .most = SIZE_MAX};
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
  static const luaL_Reg methods[] = {
      {"read", l_read},         {"readline", l_readline},
      {"readexactly", l_readexactly}, {"readuntil", l_readuntil},
      {"lines", l_lines},       {"chunks", l_chunks},
      {"peek", l_peek},         {"unread", l_unread},
      {"at_eof", l_at_eof},     {"buffered", l_buffered},
      {"fileno", l_fileno},     {"copy_to", lv_l_copy_to},
      {"close", l_close},       {"_collect", l_collect},
      {"_finish", l_finish},    {"_take", l_take},
      {"_line_now", l_line_now}, {"_unread_bytes", l_unread_bytes},
      {"_either", l_either},    {NULL, NULL}};
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
