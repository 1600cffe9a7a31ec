/* bind/codec.c — Lua values as bytes, and back, for another process of this
 * program on this machine.
 *
 * A message is: the size of what follows (8 bytes), how many values and tables
 * there are, the values, what each table holds, and a directory of the tables'
 * classes and sizes. Within a value a table is but a number, given to it when
 * it is first met; its contents follow in that order. So a table met twice is
 * one table again, one that holds itself is nothing special, and nothing here
 * recurses, however deep tables lie in one another.
 *
 * Metatables stay behind, but for those of a few classes that are only data.
 * @module luvisor.core.codec */
#include "base/buf.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"

#include <lauxlib.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Its address is the registry's key of the classes: number → metatable, and
 * metatable → number. */
static const char CLASSES = 0;

enum {
  NO_CLASS,
  ERROR_CLASS /* that of error objects */
};

enum { NIL, FALSE, TRUE, BYTE, INTEGER, FLOAT, SHORT, LONG, TABLE };

enum { IN_PLACE_FROM = 1 << 20 }; /* bytes that are dear to copy */

typedef struct {
  uint32_t class;
  uint32_t list; /* how many elements without keys come first */
  uint32_t rest; /* how many pairs after them */
} table_entry;   /* of the directory */

typedef struct {
  uint32_t values, tables;
} head;

/* ---- encoding ---- */

typedef struct {
  lv_buf out, directory;
  head head;
  int seen;  /* stack index: table → number */
  int order; /* … and number → table; both nil before the first one */
  bool refused;
} encoder;

static void append(lua_State *L, lv_buf *buf, const void *bytes, size_t n) {
  if (lv_buf_append(buf, bytes, n) < 0) luaL_error(L, "not enough memory");
}

/* A tag and the n bytes that belong to it. */
static void put(lua_State *L, encoder *e, char tag, const void *bytes,
                size_t n) {
  append(L, &e->out, &tag, 1);
  append(L, &e->out, bytes, n);
}

static void put_number(lua_State *L, encoder *e, int idx) {
  if (!lua_isinteger(L, idx)) {
    lua_Number x = lua_tonumber(L, idx);
    put(L, e, FLOAT, &x, sizeof x);
    return;
  }
  lua_Integer i = lua_tointeger(L, idx);
  int8_t byte = (int8_t)i;
  if (byte == i)
    put(L, e, BYTE, &byte, sizeof byte);
  else
    put(L, e, INTEGER, &i, sizeof i);
}

static void put_string(lua_State *L, encoder *e, int idx) {
  size_t size;
  const char *s = lua_tolstring(L, idx, &size);
  uint8_t byte = (uint8_t)size;
  uint64_t n = size;
  if (byte == size)
    put(L, e, SHORT, &byte, sizeof byte);
  else
    put(L, e, LONG, &n, sizeof n);
  append(L, &e->out, s, size);
}

static uint32_t number_table(lua_State *L, encoder *e, int idx) {
  uint32_t number = ++e->head.tables;
  if (number == 1) {
    lua_newtable(L);
    lua_replace(L, e->seen);
    lua_newtable(L);
    lua_replace(L, e->order);
  }
  lua_pushvalue(L, idx);
  lua_rawseti(L, e->order, number);
  lua_pushvalue(L, idx);
  lua_pushinteger(L, number);
  lua_rawset(L, e->seen);
  return number;
}

static void put_table(lua_State *L, encoder *e, int idx) {
  uint32_t number = 0;
  if (e->head.tables > 0) {
    lua_pushvalue(L, idx);
    lua_rawget(L, e->seen);
    number = (uint32_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  if (number == 0) number = number_table(L, e, lua_absindex(L, idx));
  put(L, e, TABLE, &number, sizeof number);
}

static void put_value(lua_State *L, encoder *e, int idx) {
  switch (lua_type(L, idx)) {
  case LUA_TNIL: put(L, e, NIL, NULL, 0); break;
  case LUA_TBOOLEAN:
    put(L, e, lua_toboolean(L, idx) ? TRUE : FALSE, NULL, 0);
    break;
  case LUA_TNUMBER: put_number(L, e, idx); break;
  case LUA_TSTRING: put_string(L, e, idx); break;
  case LUA_TTABLE: put_table(L, e, lua_absindex(L, idx)); break;
  default:
    e->refused = true;
    lua_pushnil(L);
    lua_error(L);
  }
}

/* Of the table on top. */
static uint32_t class_of(lua_State *L) {
  if (!lua_getmetatable(L, -1)) return NO_CLASS;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &CLASSES);
  lua_insert(L, -2);
  lua_rawget(L, -2);
  uint32_t class = (uint32_t)lua_tointeger(L, -1);
  lua_pop(L, 2);
  return class;
}

/* Which scope an error cancels means nothing elsewhere, or another scope. */
static bool is_private(lua_State *L, int key, uint32_t class) {
  return class == ERROR_CLASS && lua_type(L, key) == LUA_TSTRING &&
         strcmp(lua_tostring(L, key), "_scope") == 0;
}

static bool is_in_list(lua_State *L, int key, lua_Unsigned n) {
  if (!lua_isinteger(L, key)) return false;
  lua_Integer i = lua_tointeger(L, key);
  return i >= 1 && (lua_Unsigned)i <= n;
}

/* What is in the table on top. */
static void put_contents(lua_State *L, encoder *e) {
  lua_Unsigned n = lua_rawlen(L, -1);
  if (n > UINT32_MAX) luaL_error(L, "not enough memory");
  table_entry entry = {.class = class_of(L), .list = (uint32_t)n};
  for (lua_Integer i = 1; i <= (lua_Integer)n; i++) {
    lua_rawgeti(L, -1, i);
    put_value(L, e, -1);
    lua_pop(L, 1);
  }
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (!is_in_list(L, -2, n) && !is_private(L, -2, entry.class)) {
      put_value(L, e, -2);
      put_value(L, e, -1);
      entry.rest++;
    }
    lua_pop(L, 1);
  }
  append(L, &e->directory, &entry, sizeof entry);
}

static void push_message(lua_State *L, lv_buf *buf) {
  lv_alloc *alloc = &lv_host_of(L)->alloc;
  size_t n = lv_buf_size(buf);
  char *block = NULL;
  if (n >= IN_PLACE_FROM && alloc->header > 0)
    block = lv_buf_detach(buf, alloc->header, 1);
  if (block)
    lv_alloc_push_block(L, alloc, block, n);
  else
    lua_pushlstring(L, lv_buf_bytes(buf), n);
}

/* Stack: encoder, values… → message */
static int encode(lua_State *L) {
  encoder *e = lua_touserdata(L, 1);
  int n = lua_gettop(L) - 1;
  luaL_checkstack(L, 12, NULL);
  lua_pushnil(L);
  lua_pushnil(L);
  e->seen = n + 2;
  e->order = n + 3;
  e->head.values = (uint32_t)n;
  uint64_t size = 0;
  append(L, &e->out, &size, sizeof size);
  append(L, &e->out, &e->head, sizeof e->head);
  for (int i = 1; i <= n; i++)
    put_value(L, e, i + 1);
  for (uint32_t i = 1; i <= e->head.tables; i++) {
    lua_rawgeti(L, e->order, i);
    put_contents(L, e);
    lua_pop(L, 1);
  }
  if (e->head.tables > 0)
    append(L, &e->out, lv_buf_bytes(&e->directory), lv_buf_size(&e->directory));
  size = lv_buf_size(&e->out) - sizeof size;
  memcpy(lv_buf_bytes(&e->out), &size, sizeof size);
  memcpy(lv_buf_bytes(&e->out) + sizeof size, &e->head, sizeof e->head);
  push_message(L, &e->out);
  return 1;
}

/*** codec.encode(...) -> string | nil
 * A message of these values: its size in 8 bytes, and the rest, which `decode`
 * takes. nil: one of them, or something in a table, is no nil, boolean, number,
 * string or table. */
static int l_encode(lua_State *L) {
  encoder e = {.refused = false};
  int n = lua_gettop(L);
  luaL_checkstack(L, 2, NULL);
  lua_pushcfunction(L, encode);
  lua_pushlightuserdata(L, &e);
  lua_rotate(L, 1, 2);
  int status = lua_pcall(L, n + 1, 1, 0); /* it owns memory, and may raise */
  lv_buf_fini(&e.out);
  lv_buf_fini(&e.directory);
  if (status == LUA_OK || e.refused) return 1;
  return lua_error(L);
}

/* ---- decoding ---- */

typedef struct {
  const char *at, *end;
  const char *directory;
  head head;
} decoder;

enum { MESSAGE = 1, TABLES }; /* where decode has them on the stack */

static _Noreturn void malformed(lua_State *L) {
  luaL_error(L, "malformed message");
  abort(); /* it has raised */
}

static void take(lua_State *L, decoder *d, void *out, size_t n) {
  if ((size_t)(d->end - d->at) < n) malformed(L);
  memcpy(out, d->at, n);
  d->at += n;
}

static void take_string(lua_State *L, decoder *d, uint64_t n) {
  if ((uint64_t)(d->end - d->at) < n) malformed(L);
  lua_pushlstring(L, d->at, (size_t)n);
  d->at += n;
}

static void take_table(lua_State *L, decoder *d) {
  uint32_t number;
  take(L, d, &number, sizeof number);
  if (number == 0 || number > d->head.tables) malformed(L);
  lua_rawgeti(L, TABLES, number);
}

/* Push the next value. */
static void take_value(lua_State *L, decoder *d) {
  char tag;
  int8_t byte;
  uint8_t size;
  uint64_t n;
  lua_Integer i;
  lua_Number x;
  take(L, d, &tag, 1);
  switch (tag) {
  case NIL: lua_pushnil(L); break;
  case FALSE: lua_pushboolean(L, false); break;
  case TRUE: lua_pushboolean(L, true); break;
  case BYTE:
    take(L, d, &byte, sizeof byte);
    lua_pushinteger(L, byte);
    break;
  case INTEGER:
    take(L, d, &i, sizeof i);
    lua_pushinteger(L, i);
    break;
  case FLOAT:
    take(L, d, &x, sizeof x);
    lua_pushnumber(L, x);
    break;
  case SHORT:
    take(L, d, &size, sizeof size);
    take_string(L, d, size);
    break;
  case LONG:
    take(L, d, &n, sizeof n);
    take_string(L, d, n);
    break;
  case TABLE: take_table(L, d); break;
  default: malformed(L);
  }
}

static table_entry entry_of(const decoder *d, uint32_t number) {
  table_entry entry;
  memcpy(&entry, d->directory + (size_t)(number - 1) * sizeof entry,
         sizeof entry);
  return entry;
}

static int room_for(uint32_t n) {
  return n > INT_MAX / 2 ? INT_MAX / 2 : (int)n;
}

/* Push the tables, empty, with room for what each will hold: no more than the
 * message has bytes for. */
static void push_tables(lua_State *L, decoder *d) {
  uint32_t n = d->head.tables;
  uint64_t room = (uint64_t)(d->end - d->at) + 1;
  lua_createtable(L, room_for(n), 0);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &CLASSES);
  for (uint32_t i = 1; i <= n; i++) {
    table_entry entry = entry_of(d, i);
    uint64_t needs = (uint64_t)entry.list + 2 * (uint64_t)entry.rest;
    if (needs >= room) malformed(L);
    room -= needs;
    lua_createtable(L, room_for(entry.list), room_for(entry.rest));
    if (entry.class != NO_CLASS) {
      if (lua_rawgeti(L, TABLES + 1, entry.class) != LUA_TTABLE) malformed(L);
      lua_setmetatable(L, -2);
    }
    lua_rawseti(L, TABLES, i);
  }
  lua_pop(L, 1);
}

static void take_pair(lua_State *L, decoder *d) {
  take_value(L, d);
  bool is_nan = lua_type(L, -1) == LUA_TNUMBER && isnan(lua_tonumber(L, -1));
  if (lua_isnil(L, -1) || is_nan) malformed(L);
  take_value(L, d);
  lua_rawset(L, -3);
}

static void fill_tables(lua_State *L, decoder *d) {
  for (uint32_t number = 1; number <= d->head.tables; number++) {
    table_entry entry = entry_of(d, number);
    lua_rawgeti(L, TABLES, number);
    for (uint32_t i = 1; i <= entry.list; i++) {
      take_value(L, d);
      lua_rawseti(L, -2, i);
    }
    for (uint32_t i = 0; i < entry.rest; i++)
      take_pair(L, d);
    lua_pop(L, 1);
  }
}

static void find_directory(lua_State *L, decoder *d) {
  uint64_t size = (uint64_t)d->head.tables * sizeof(table_entry);
  if ((uint64_t)(d->end - d->at) < size || d->head.tables > INT32_MAX)
    malformed(L);
  d->directory = d->end - size;
  d->end = d->directory;
}

/*** codec.decode(message) -> values…
 * Of a message without its size. Raises where it is none. */
static int l_decode(lua_State *L) {
  size_t size;
  const char *message = luaL_checklstring(L, MESSAGE, &size);
  decoder d = {.at = message, .end = message + size};
  lua_settop(L, MESSAGE);
  take(L, &d, &d.head, sizeof d.head);
  find_directory(L, &d);
  push_tables(L, &d);
  if (d.head.values > (uint64_t)(d.end - d.at)) malformed(L);
  luaL_checkstack(L, (int)d.head.values + 8, "too many values");
  for (uint32_t i = 0; i < d.head.values; i++)
    take_value(L, &d);
  fill_tables(L, &d);
  if (d.at != d.end) malformed(L);
  return (int)d.head.values;
}

/*** codec.set_classes(list)
 * Tables with these metatables have them on the other side, too; the first one
 * is that of errors. Both sides must give the same list. */
static int l_set_classes(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
  lua_createtable(L, (int)n, (int)n);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 1, i);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, i);
    lua_pushinteger(L, i);
    lua_rawset(L, -3);
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &CLASSES);
  return 0;
}

int lv_open_codec(lua_State *L) {
  static const luaL_Reg functions[] = {{"encode", l_encode},
                                       {"decode", l_decode},
                                       {"set_classes", l_set_classes},
                                       {NULL, NULL}};
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &CLASSES);
  luaL_newlib(L, functions);
  return 1;
}
