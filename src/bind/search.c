/* bind/search.c — Several patterns looked for at once in what a program says.
 *
 * A search remembers how far each of its patterns has come, so that it goes on
 * where it stopped when more has been said. The match that begins first wins,
 * of those that begin together the pattern that stands first.
 *
 * All patterns are run over the same piece of the text, then over the next,
 * which is twice as long: a pattern that matches near is found before others
 * are looked for far away. Once there is a match, the others need only be
 * looked for before it.
 * @module luvisor.core.expect */
#include "bind/search.h"

#include "bind/class.h"
#include "bind/error.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char METATABLE[] = "luvisor.core.expect.search";

enum { FIRST_PIECE = 1024 };

typedef enum { LITERAL, PATTERN, REFERRING } kind;

typedef struct {
  kind kind;
  const char *text; /* kept alive by the search */
  size_t size;
  lv_pattern pattern;
  lv_scan scan;
  size_t scanned; /* no match begins below this, for all but PATTERN */
  bool found;
  size_t start, end;
} matcher;

typedef struct {
  int n;
  size_t window, refer_window;
  uint64_t takes; /* of the buffer, when the search began */
  size_t looked;  /* all patterns were run so far */
  bool told;      /* of a match: the next search is another */
  matcher m[];
} search;

/* User values: the texts; what REFERRING ones have captured, by their index;
 * string.find. */
enum { TEXTS = 1, CAPTURED, FIND };

/* What one call of look has to do with. */
typedef struct {
  lua_State *L; /* with the search as argument 1 */
  search *s;
  lv_expect_buffer *b;
  lv_span text;
} view;

/* ---- one pattern ---- */

static size_t most(size_t a, size_t b) {
  return a > b ? a : b;
}

static void set_found(matcher *m, size_t start, size_t end) {
  m->found = true;
  m->start = start;
  m->end = end;
}

/* So that a text that comes in two pieces is found, all but one byte of it are
 * looked at again. */
static void run_literal(const view *v, matcher *m, size_t to, size_t before) {
  size_t from = most(m->scanned, v->text.from);
  if (before < to && to - before >= m->size) to = before + m->size - 1;
  if (to < from + m->size) return;
  const char *at = v->text.bytes + (from - v->text.from);
  const char *hit = memmem(at, to - from, m->text, m->size);
  if (hit) {
    size_t start = from + (size_t)(hit - at);
    set_found(m, start, start + m->size);
    v->b->examined += m->end - from;
  } else {
    m->scanned = to - m->size + 1;
    v->b->examined += to - from;
  }
}

static void run_scan(const view *v, matcher *m, size_t to, size_t before) {
  uint64_t examined = m->scan.examined;
  lv_scan_run(&m->scan, &v->text, to, before);
  if (m->scan.found && !lv_scan_is_over(&m->scan, before))
    lv_scan_run(&m->scan, &v->text, v->text.to, before);
  if (m->scan.found || to == v->text.to)
    if (lv_scan_end(&m->scan, before))
      set_found(m, m->scan.best[LV_WAY_START], m->scan.end);
  v->b->examined += m->scan.examined - examined;
}

/* ---- patterns with %1 to %9: by string.find, in windows ---- */

/* Behind where string.find began to push. */
static void keep_captured(const view *v, matcher *m, int top, size_t first) {
  lua_State *L = v->L;
  int n = lua_gettop(L) - top - 2;
  lua_getiuservalue(L, 1, CAPTURED);
  lua_createtable(L, n, 0);
  for (int i = 1; i <= n; i++) {
    lua_pushvalue(L, top + 2 + i);
    if (lua_isinteger(L, -1)) {
      lua_Integer at = lua_tointeger(L, -1) + (lua_Integer)first;
      lua_pop(L, 1);
      lua_pushinteger(L, at - (lua_Integer)v->text.from);
    }
    lua_rawseti(L, -2, i);
  }
  lua_rawseti(L, -2, (lua_Integer)(m - v->s->m) + 1);
}

/* Look in text[from..to), with one byte before it for "%f". */
static void find_between(const view *v, matcher *m, size_t from, size_t to) {
  lua_State *L = v->L;
  int top = lua_gettop(L);
  size_t first = from > v->text.from ? from - 1 : from;
  lua_getiuservalue(L, 1, FIND);
  lua_pushlstring(L, v->text.bytes + (first - v->text.from), to - first);
  lua_pushlstring(L, m->text, m->size);
  lua_pushinteger(L, (lua_Integer)(from - first) + 1);
  v->b->examined += to - from;
  lua_call(L, 3, LUA_MULTRET);
  if (!lua_isnil(L, top + 1)) {
    size_t start = first + (size_t)lua_tointeger(L, top + 1) - 1;
    size_t end = first + (size_t)lua_tointeger(L, top + 2);
    if (end < to || to == v->text.to) {
      set_found(m, start, end);
      keep_captured(v, m, top, first);
    }
  }
  lua_settop(L, top);
}

/* A match that touches the end of its window may be cut off by it: the next
 * window begins in the middle of this one. */
static void run_find(const view *v, matcher *m, size_t to) {
  size_t window = v->s->refer_window, end = v->text.to;
  if (to < end) return;
  size_t from = most(m->scanned, v->text.from);
  while (!m->found) {
    if (m->pattern.anchored && from > 0) {
      m->scanned = from;
      return;
    }
    size_t upto = end - from > 2 * window ? from + 2 * window : end;
    find_between(v, m, from, upto);
    if (upto == end) break;
    from += window;
  }
  m->scanned = end > window ? end - window : 0;
}

/* ---- all of them ---- */

/* Run over the text below number `to`, for a match that begins below
 * `before`. What is found stays found. */
static void run(const view *v, matcher *m, size_t to, size_t before) {
  if (m->found) return;
  switch (m->kind) {
  case LITERAL: run_literal(v, m, to, before); break;
  case PATTERN: run_scan(v, m, to, before); break;
  case REFERRING: run_find(v, m, to); break;
  }
}

static void begin(search *s, uint64_t takes) {
  s->takes = takes;
  s->looked = 0;
  s->told = false;
  for (int i = 0; i < s->n; i++) {
    s->m[i].scanned = 0;
    s->m[i].found = false;
    if (s->m[i].kind == PATTERN) lv_scan_reset(&s->m[i].scan, 0);
  }
}

/* The first in the list that is found near, or NULL. */
static matcher *find_one(const view *v) {
  search *s = v->s;
  size_t size = v->text.to, piece = FIRST_PIECE;
  s->looked = most(s->looked, v->text.from);
  for (;;) {
    size_t to = size - s->looked > piece ? s->looked + piece : size;
    for (int i = 0; i < s->n; i++) {
      run(v, &s->m[i], to, SIZE_MAX);
      if (s->m[i].found) return &s->m[i];
    }
    s->looked = to;
    if (to == size) return NULL;
    piece *= 2;
  }
}

/* The best, if there is any. */
static matcher *find_best(const view *v) {
  matcher *best = find_one(v);
  if (best == NULL) return NULL;
  for (matcher *m = v->s->m; m < v->s->m + v->s->n; m++) {
    if (m == best) continue;
    size_t before = best->start + (m < best);
    run(v, m, v->text.to, before);
    if (m->found && m->start < before) best = m;
  }
  return best;
}

/* ---- the result ---- */

static void push_position(const view *v, size_t number) {
  lua_pushinteger(v->L, (lua_Integer)(number - v->text.from) + 1);
}

static int push_captures(const view *v, const matcher *m) {
  int n = m->pattern.captures;
  const size_t *ends = m->scan.best + LV_WAY_CAPTURES;
  for (int i = 0; i < n; i++, ends += 2) {
    if (m->pattern.positions >> i & 1)
      push_position(v, ends[0]);
    else
      lua_pushlstring(v->L, v->text.bytes + (ends[0] - v->text.from),
                      ends[1] - ends[0]);
  }
  return n;
}

static int push_captured(const view *v, const matcher *m) {
  lua_State *L = v->L;
  lua_getiuservalue(L, 1, CAPTURED);
  int list = lua_gettop(L) + 1;
  lua_rawgeti(L, -1, (lua_Integer)(m - v->s->m) + 1);
  int n = (int)lua_rawlen(L, list);
  for (int i = 1; i <= n; i++)
    lua_rawgeti(L, list, i);
  return n;
}

/*** search:look(buffer) -> nil | index, from, to, captures…
 * What is found in what has come: the number of the pattern, and its place in
 * the buffer, as string.find tells it. A search that has found nothing goes on
 * where it stopped. */
static int l_look(lua_State *L) {
  search *s = luaL_checkudata(L, 1, METATABLE);
  lv_expect_buffer *b = lv_check_expect_buffer(L, 2);
  view v = {L, s, b, lv_expect_span(b)};
  luaL_checkstack(L, LV_CAPTURES + 20, NULL);
  if (s->takes != b->takes || s->told) begin(s, b->takes);
  const matcher *m = find_best(&v);
  if (m == NULL) return 0;
  s->told = true;
  lua_pushinteger(L, m - s->m + 1);
  push_position(&v, m->start);
  lua_pushinteger(L, (lua_Integer)(m->end - v.text.from));
  if (m->kind == LITERAL) return 3;
  if (m->kind == PATTERN) return 3 + push_captures(&v, m);
  int n = push_captured(&v, m);
  lua_rotate(L, -n - 2, n); /* the two tables below them go */
  lua_pop(L, 2);
  return 3 + n;
}

/* ---- making one ---- */

static int raise_bad_pattern(lua_State *L, const matcher *m,
                             const char *fault) {
  return lv_usage(L, "expect: the pattern \"%s\" is malformed: %s", m->text,
                  fault);
}

static void open_pattern(lua_State *L, const search *s, matcher *m) {
  const char *fault;
  int rc = lv_pattern_open(&m->pattern, m->text, m->size, &fault);
  if (rc == -EINVAL) raise_bad_pattern(L, m, fault);
  m->kind = m->pattern.refers ? REFERRING : PATTERN;
  if (rc == 0 && m->kind == PATTERN)
    rc = lv_scan_open(&m->scan, &m->pattern, s->window);
  if (rc < 0) luaL_error(L, "not enough memory");
}

static bool field_is_true(lua_State *L, int table, const char *name) {
  lua_getfield(L, table, name);
  bool is_true = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is_true;
}

/* expect.search(list, window, refer_window) -> search
 * The list has {text =, literal = boolean} for each pattern. */
int lv_l_search(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  int n = (int)lua_rawlen(L, 1);
  lua_Integer window = luaL_checkinteger(L, 2);
  lua_Integer refer_window = luaL_checkinteger(L, 3);
  lua_settop(L, 1);
  search *s = lua_newuserdatauv(L, sizeof *s + (size_t)n * sizeof *s->m, FIND);
  memset(s, 0, sizeof *s + (size_t)n * sizeof *s->m);
  s->window = (size_t)window;
  s->refer_window = (size_t)refer_window;
  s->takes = UINT64_MAX;
  luaL_setmetatable(L, METATABLE);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setiuservalue(L, 2, FIND);
  lua_newtable(L);
  lua_setiuservalue(L, 2, CAPTURED);
  lua_newtable(L);
  for (int i = 0; i < n; i++) {
    matcher *m = &s->m[i];
    lua_rawgeti(L, 1, i + 1);
    lua_getfield(L, -1, "text");
    m->text = luaL_checklstring(L, -1, &m->size);
    lua_rawseti(L, 3, i + 1);
    s->n = i + 1;
    if (!field_is_true(L, -1, "literal")) open_pattern(L, s, m);
    lua_pop(L, 1);
  }
  lua_setiuservalue(L, 2, TEXTS);
  return 1;
}

static int l_gc(lua_State *L) {
  search *s = lua_touserdata(L, 1);
  for (int i = 0; i < s->n; i++) {
    lv_scan_close(&s->m[i].scan);
    lv_pattern_close(&s->m[i].pattern);
  }
  s->n = 0;
  return 0;
}

void lv_make_search_class(lua_State *L) {
  static const luaL_Reg methods[] = {{"look", l_look}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", l_gc}, {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
}
