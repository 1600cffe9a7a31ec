/* bind/lines.c — Reader: lines, and texts up to other separators.
 *
 * A task that finds no separator waits for more of any length and looks again,
 * but not at what it has looked at: box->scanned bytes hold none. That is
 * forgotten when the buffer's head moves or another search begins.
 * @module luvisor.stream
 * @type Reader */
#include "bind/error.h"
#include "bind/reader.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

typedef lv_reader_box box;

/* ---- looking for separators ---- */

enum { MOST_SEPS = 8, FIRST_WINDOW = 256 };

typedef struct {
  const char *bytes[MOST_SEPS];
  size_t sizes[MOST_SEPS];
  int n;
  size_t longest;
} seps;

/* Where the first one ends in text[from..to), 0 if there is none. Of several
 * the one that ends first counts, the shortest of those (asyncio rule S19). */
static size_t find_between(const char *text, size_t from, size_t to,
                           const seps *s, size_t *sep_size) {
  size_t end = 0;
  for (int i = 0; i < s->n; i++) {
    size_t upto = end > 0 ? end : to;
    const char *at = memmem(text + from, upto - from, s->bytes[i], s->sizes[i]);
    if (at == NULL) continue;
    size_t this_end = (size_t)(at - text) + s->sizes[i];
    if (end == this_end && s->sizes[i] > *sep_size) continue;
    end = this_end;
    *sep_size = s->sizes[i];
  }
  return end;
}

/* In windows that double: a separator that is far off, or never comes, is not
 * looked for anew behind each near one of another kind. */
static size_t find_sep(box *b, const seps *s, size_t *sep_size) {
  size_t size = lv_reader_box_size(b), window = FIRST_WINDOW;
  if (size == 0) return 0;
  const char *text = lv_buf_bytes(&b->r->buf);
  for (;;) {
    size_t to = size - b->scanned > window ? b->scanned + window : size;
    size_t end = find_between(text, b->scanned, to, s, sep_size);
    if (end > 0) return end;
    if (to >= b->scanned + s->longest) b->scanned = to - s->longest + 1;
    if (to == size) return 0;
    window *= 2;
  }
}

/* consumed: so many bytes can be read without cutting a separator. */
static int raise_overrun(lua_State *L, box *b, size_t max, size_t consumed,
                         const char *what) {
  b->scanned = 0;
  lv_push_error(L, "LimitOverrun", "%s longer than %I bytes", what,
                (lua_Integer)max);
  lua_pushinteger(L, (lua_Integer)consumed);
  lua_setfield(L, -2, "consumed");
  return lua_error(L);
}

/* Wait for any more. */
static int park(lua_State *L, box *b, lua_KFunction k) {
  return lv_reader_box_park(L, b, lv_reader_box_size(b) + 1, k);
}

/* ---- lines ---- */

static size_t find_newline(box *b) {
  size_t size = lv_reader_box_size(b);
  if (size == b->scanned) return 0;
  const char *text = lv_buf_bytes(&b->r->buf);
  const char *at = memchr(text + b->scanned, '\n', size - b->scanned);
  if (at) return (size_t)(at - text) + 1;
  b->scanned = size;
  return 0;
}

enum { NOT_YET = -1 };

/* The number of results, or NOT_YET. */
static int take_line(lua_State *L, box *b, bool keep) {
  size_t end = find_newline(b), size = lv_reader_box_size(b);
  size_t text = end ? end - 1 : size;
  if (text > b->max_line)
    return raise_overrun(L, b, b->max_line, text, "a line is");
  if (end) {
    lv_reader_box_take(L, b, end, keep ? 0 : 1);
    return 1;
  }
  if (!lv_reader_is_done(b->r)) return NOT_YET;
  if (size > 0) {
    lv_reader_box_take(L, b, size, 0);
    return 1;
  }
  lv_reader_box_check_failed(L, b);
  lua_pushnil(L);
  return 1;
}

/* Lines that are there already may be many, and dear to whoever takes them. */
static inline bool should_pause(lua_State *L, box *b) {
  return ++b->answers % LV_LOOK_EACH == 0 && lv_task_is_greedy(L);
}

/* Before a line is taken, as a task that is cancelled meanwhile loses it. */
static int pause_before(lua_State *L, lua_KFunction k) {
  return lv_pause(L, lv_task_check(L), k);
}

static void check_paused(lua_State *L) {
  lv_task *t = lv_task_of(L);
  if (lv_task_is_cancelled(t)) lv_raise_cancelled(L, t);
}

static int line_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  box *b = lv_reader_box_woken(L);
  int n = take_line(L, b, lua_toboolean(L, 2));
  return n == NOT_YET ? park(L, b, line_done) : n;
}

static int read_line(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  check_paused(L);
  return lv_l_readline(L);
}

/*** r:readline([keep]) -> string | nil
 * The next line without its "\n", or with it if keep. An unterminated last line
 * is a line; nil at the end. (asyncio rule S20, but nothing is lost at the
 * limit)
 * @raise LimitOverrun: the line is longer than r.max_line (default 1 MiB); it
 * is not touched and can still be read; Busy, Closed, OSError */
int lv_l_readline(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lv_reader_box_check_free(L, b);
  lua_settop(L, 2);
  if (should_pause(L, b)) return pause_before(L, read_line);
  int n = take_line(L, b, lua_toboolean(L, 2));
  return n == NOT_YET ? park(L, b, line_done) : n;
}

static int iterate_on(lua_State *L, int status, lua_KContext ctx);

/* To wait, it makes itself the stack that line_done expects. */
static inline int iterate(lua_State *L, bool keep) {
  box *b = lua_touserdata(L, lua_upvalueindex(1));
  if (b->r == NULL) return lv_raise(L, "Closed", "the reader is closed");
  lv_reader_box_check_free(L, b);
  if (should_pause(L, b)) {
    lua_pushboolean(L, keep);
    return pause_before(L, iterate_on);
  }
  int n = take_line(L, b, keep);
  if (n != NOT_YET) return n;
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushboolean(L, keep);
  return park(L, b, line_done);
}

static int iterate_on(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  check_paused(L);
  return iterate(L, lua_toboolean(L, -1));
}

static int iterate_lines(lua_State *L) {
  return iterate(L, false);
}

static int iterate_kept_lines(lua_State *L) {
  return iterate(L, true);
}

/*** r:lines([keep]) -> iterator
 * `for line in r:lines() do`: readline until the end. After a millisecond of
 * lines that were there already, others have their turn. */
int lv_l_lines(lua_State *L) {
  lv_check_reader(L, 1);
  bool keep = lua_toboolean(L, 2);
  lua_settop(L, 1);
  lua_pushcclosure(L, keep ? iterate_kept_lines : iterate_lines, 1);
  return 1;
}

/* ---- readuntil ---- */

static void check_sep(lua_State *L, seps *s, int i) {
  if (lua_type(L, -1) != LUA_TSTRING)
    lv_usage(L, "readuntil: a separator is a string, got %s",
             luaL_typename(L, -1));
  s->bytes[i] = lua_tolstring(L, -1, &s->sizes[i]);
  if (s->sizes[i] == 0) lv_usage(L, "readuntil: an empty separator");
  if (s->sizes[i] > s->longest) s->longest = s->sizes[i];
}

/* Argument 2: a string or a list of them, which keeps them alive. */
static void check_seps(lua_State *L, seps *s) {
  *s = (seps){.n = 1};
  if (!lua_istable(L, 2)) {
    lua_pushvalue(L, 2);
    check_sep(L, s, 0);
    lua_pop(L, 1);
    return;
  }
  lua_Unsigned n = lua_rawlen(L, 2);
  if (n < 1 || n > MOST_SEPS)
    lv_usage(L, "readuntil: from 1 to %d separators, got %I", (int)MOST_SEPS,
             (lua_Integer)n);
  s->n = (int)n;
  for (int i = 0; i < s->n; i++) {
    lua_rawgeti(L, 2, i + 1);
    check_sep(L, s, i);
    lua_pop(L, 1);
  }
}

static int raise_no_sep(lua_State *L, box *b) {
  lv_reader_box_check_failed(L, b);
  lv_push_error(L, "IncompleteRead",
                "the stream ended before the separator came");
  lv_reader_box_take(L, b, lv_reader_box_size(b), 0);
  lua_setfield(L, -2, "partial");
  return lua_error(L);
}

static int until_done(lua_State *L, int status, lua_KContext ctx);

/* Stack: reader, separators, max */
static int until(lua_State *L, box *b) {
  seps s;
  check_seps(L, &s);
  size_t max = (size_t)lua_tointeger(L, 3), sep_size = 0;
  size_t end = find_sep(b, &s, &sep_size), size = lv_reader_box_size(b);
  if (end > 0 && end - sep_size > max)
    return raise_overrun(L, b, max, end - sep_size,
                         "the separator was found, but the text before is");
  if (end > 0) {
    lv_reader_box_take(L, b, end, 0);
    return 1;
  }
  if (size >= s.longest && size - s.longest >= max)
    return raise_overrun(L, b, max, size - s.longest + 1,
                         "no separator was found, and the text is");
  if (lv_reader_is_done(b->r)) return raise_no_sep(L, b);
  return park(L, b, until_done);
}

static int until_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return until(L, lv_reader_box_woken(L));
}

/*** r:readuntil(separator | {separators} [, {max =}]) -> string
 * Bytes up to and with the separator that ends first, of at most eight; the
 * shortest of those that end together. (asyncio rule S19)
 * @raise IncompleteRead: the stream ended, with what there was as `partial`
 * (taken); LimitOverrun: more than max bytes (default r.max_line) stand before
 * it, with the buffer untouched, and `consumed` of them can be read without
 * cutting a separator; Busy, Closed, OSError */
int lv_l_readuntil(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lua_settop(L, 3);
  lua_Integer max = (lua_Integer)b->max_line;
  if (!lua_isnil(L, 3)) {
    lv_check_option(L, 3, "readuntil", "max", "size");
    if (lua_getfield(L, 3, "max") != LUA_TNIL) max = lua_tointeger(L, -1);
    lua_settop(L, 3);
  }
  lua_pushinteger(L, max);
  lua_replace(L, 3);
  lv_reader_box_check_free(L, b);
  b->scanned = 0;
  return until(L, b);
}

/* ---- for process.lua: the lines of two readers ---- */

typedef struct {
  box *of[2];
} boxes;

static lv_abort abort_either(lv_task *t, void *op) {
  const boxes *both = op;
  (void)t;
  for (int i = 0; i < 2; i++) {
    both->of[i]->task = NULL;
    lv_reader_need(both->of[i]->r, 0);
  }
  return LV_STOPPED;
}

/* One may be closed by now, and another task read the other: a line that
 * cannot be had is the caller's to find out. */
static int either_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  for (int i = 1; i <= 2; i++) {
    box *b = lua_touserdata(L, i);
    if (b->task != t) continue;
    b->task = NULL;
    if (b->r) lv_reader_need(b->r, 0);
  }
  return 0;
}

/* r1:_either(r2): wait until one of the two got something. The caller has found
 * no line in either. */
int lv_l_either(lua_State *L) {
  lua_settop(L, 2);
  boxes *both = lua_newuserdatauv(L, sizeof *both, 0);
  for (int i = 0; i < 2; i++) {
    both->of[i] = lv_check_reader(L, i + 1);
    lv_reader_box_check_free(L, both->of[i]);
  }
  lv_task *t = lv_task_check(L);
  for (int i = 0; i < 2; i++) {
    box *b = both->of[i];
    int rc = lv_reader_need(b->r, lv_reader_box_size(b) + 1);
    if (rc < 0) return lv_raise_os(L, rc, "read", NULL);
  }
  both->of[0]->task = both->of[1]->task = t;
  return lv_park(L, t, "lines of two streams", both, abort_either, either_done);
}

/* r:_line_now([keep]) -> line | nil, "end" | nil: never waits */
int lv_l_line_now(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lv_reader_box_check_free(L, b);
  int n = take_line(L, b, lua_toboolean(L, 2));
  if (n == NOT_YET) {
    lua_pushnil(L);
    return 1;
  }
  if (!lua_isnil(L, -1)) return 1;
  lua_pushliteral(L, "end");
  return 2;
}
