/* bind/expect.c — What a program has said, in memory; search.c looks for
 * something in it. The dialogue is lua/luvisor/expect.lua.
 * @module luvisor.core.expect */
#include "bind/class.h"
#include "bind/error.h"
#include "bind/modules.h"
#include "bind/search.h"

#include <lauxlib.h>
#include <string.h>

static const char METATABLE[] = "luvisor.core.expect.buffer";

typedef lv_expect_buffer buffer;

lv_expect_buffer *lv_check_expect_buffer(lua_State *L, int arg) {
  return luaL_checkudata(L, arg, METATABLE);
}

lv_span lv_expect_span(const lv_expect_buffer *b) {
  size_t size = lv_buf_size(&b->bytes);
  return (lv_span){size > 0 ? lv_buf_bytes(&b->bytes) : "", b->dropped,
                   b->dropped + size};
}

/* An argument from 0 to the size; more is the size. */
static size_t check_length(lua_State *L, int arg, const buffer *b) {
  lua_Integer n = luaL_checkinteger(L, arg);
  size_t size = lv_buf_size(&b->bytes);
  return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size;
}

/*** b:append(s) */
static int l_append(lua_State *L) {
  buffer *b = lv_check_expect_buffer(L, 1);
  size_t n;
  const char *s = luaL_checklstring(L, 2, &n);
  if (lv_buf_append(&b->bytes, s, n) < 0)
    return luaL_error(L, "not enough memory");
  return 0;
}

/*** b:size() -> integer */
static int l_size(lua_State *L) {
  buffer *b = lv_check_expect_buffer(L, 1);
  lua_pushinteger(L, (lua_Integer)lv_buf_size(&b->bytes));
  return 1;
}

/*** b:dropped() -> integer
 * How many bytes at its beginning trim has dropped. */
static int l_dropped(lua_State *L) {
  buffer *b = lv_check_expect_buffer(L, 1);
  lua_pushinteger(L, (lua_Integer)b->dropped);
  return 1;
}

/*** b:head(n) -> string
 * The first n bytes, or all. */
static int l_head(lua_State *L) {
  buffer *b = lv_check_expect_buffer(L, 1);
  lua_pushlstring(L, lv_expect_span(b).bytes, check_length(L, 2, b));
  return 1;
}

/*** b:tail(n) -> string
 * The last n bytes, or all. */
static int l_tail(lua_State *L) {
  buffer *b = lv_check_expect_buffer(L, 1);
  size_t n = check_length(L, 2, b), size = lv_buf_size(&b->bytes);
  lua_pushlstring(L, lv_expect_span(b).bytes + (size - n), n);
  return 1;
}

/*** b:take(n) -> string
 * The first n bytes, or all, which are removed. */
static int l_take(lua_State *L) {
  buffer *b = lv_check_expect_buffer(L, 1);
  size_t n = check_length(L, 2, b);
  lua_pushlstring(L, lv_expect_span(b).bytes, n);
  lv_buf_consume(&b->bytes, n);
  b->dropped = 0;
  b->takes++;
  return 1;
}

/*** b:trim()
 * Drop the oldest bytes of a buffer that is too long. */
static int l_trim(lua_State *L) {
  buffer *b = lv_check_expect_buffer(L, 1);
  size_t size = lv_buf_size(&b->bytes);
  if (size <= b->max) return 0;
  lv_buf_consume(&b->bytes, size - b->max);
  b->dropped += size - b->max;
  return 0;
}

/*** b:examined() -> integer
 * How many bytes all searches in it have looked at. */
static int l_examined(lua_State *L) {
  buffer *b = lv_check_expect_buffer(L, 1);
  lua_pushinteger(L, (lua_Integer)b->examined);
  return 1;
}

static int l_gc(lua_State *L) {
  buffer *b = lua_touserdata(L, 1);
  lv_buf_fini(&b->bytes);
  return 0;
}

/*** expect.buffer(max) -> buffer */
static int l_buffer(lua_State *L) {
  lua_Integer max = luaL_checkinteger(L, 1);
  buffer *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (buffer){.max = (size_t)max};
  luaL_setmetatable(L, METATABLE);
  return 1;
}

int lv_open_expect(lua_State *L) {
  static const luaL_Reg functions[] = {{"buffer", l_buffer}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"append", l_append}, {"size", l_size},         {"dropped", l_dropped},
      {"head", l_head},     {"tail", l_tail},         {"take", l_take},
      {"trim", l_trim},     {"examined", l_examined}, {NULL, NULL}};
  lv_make_search_class(L);
  static const luaL_Reg meta[] = {{"__gc", l_gc}, {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
  luaL_newlib(L, functions);
  lua_getglobal(L, "string");
  lua_getfield(L, -1, "find");
  lua_remove(L, -2);
  lua_pushcclosure(L, lv_l_search, 1);
  lua_setfield(L, -2, "search");
  return 1;
}
