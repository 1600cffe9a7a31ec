/* bind/fed.c — Reader: bytes that come from elsewhere than its descriptor, and
 * what else asyncio's StreamReader and transports ask of one.
 *
 * A reader that is fed has no descriptor, and all that reads it works as ever.
 * It may be given one later: then a task that waits already goes on with that.
 * @module luvisor.core.stream */
#include "bind/error.h"
#include "bind/host.h"
#include "bind/reader.h"

#include <errno.h>
#include <lauxlib.h>

typedef lv_reader_box box;

/*** _fed(limit) -> Reader
 * One that is fed. */
int lv_l_fed(lua_State *L) {
  lua_Integer limit = lv_check_size(L, 1, "limit");
  box *b = lv_push_reader_box(L);
  lv_io none = {.fd = -1, .mode = LV_IO_OWN};
  int rc = lv_reader_box_open(b, &lv_host_of(L)->rt, none, (size_t)limit);
  return rc < 0 ? luaL_error(L, "not enough memory") : 1;
}

/*** r:_feed(s)
 * As if s had been read. Raises UsageError after the end. */
int lv_l_feed(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  if (lua_type(L, 2) != LUA_TSTRING)
    return lv_usage(L, "feed_data: expected a string, got %s",
                    luaL_typename(L, 2));
  size_t n;
  const char *s = lua_tolstring(L, 2, &n);
  int rc = lv_reader_feed(b->r, s, n);
  if (rc == -EPIPE) return lv_usage(L, "feed_data: the end has been fed");
  return rc < 0 ? luaL_error(L, "not enough memory") : 0;
}

/*** r:_feed_eof()
 * As if the end had been read; the descriptor is closed. */
int lv_l_feed_eof(lua_State *L) {
  lv_reader_feed_eof(lv_check_reader(L, 1)->r);
  return 0;
}

/*** r:_fail(err | nil)
 * Each read raises err from now on, also the one that waits; nil: no more. */
int lv_l_fail(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lua_settop(L, 2);
  luaL_unref(L, LUA_REGISTRYINDEX, b->failure);
  b->failure = LUA_NOREF;
  if (lua_isnil(L, 2)) return 0;
  b->failure = luaL_ref(L, LUA_REGISTRYINDEX);
  lv_reader_box_interrupt(b);
  return 0;
}

static int check_done(lua_State *L, int rc) {
  return rc < 0 ? lv_raise_os(L, rc, "read", NULL) : 0;
}

/*** r:_hold(on)
 * Read nothing from the descriptor for now, or go on. */
int lv_l_hold(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  return check_done(L, lv_reader_hold(b->r, lua_toboolean(L, 2)));
}

/*** r:_start()
 * Read ahead from now on, and not only when something is first asked for. */
int lv_l_start(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  b->r->started = true;
  return check_done(L, lv_reader_update(b->r));
}

/*** r:_attach(from)
 * Go on with the descriptor and the bytes of another Reader, which is closed.
 * Raises Busy where that cannot be. */
int lv_l_attach(lua_State *L) {
  box *b = lv_check_reader(L, 1), *from = lv_check_reader(L, 2);
  if (from->task)
    return lv_raise(L, "Busy", "another task is reading this stream already");
  int rc = lv_reader_attach(b->r, from->r);
  if (rc == -EBUSY)
    return lv_raise(L, "Busy", "the stream is being read, or has been");
  if (rc < 0) return check_done(L, rc);
  lv_reader_box_close(from);
  return 0;
}

/*** r:_state() -> ended, is_read, failure
 * Whether nothing more will come; whether a task waits for it; what `_fail`
 * was given, or the error that reading failed with. */
int lv_l_state(lua_State *L) {
  const box *b = lv_check_reader(L, 1);
  lua_pushboolean(L, lv_reader_is_done(b->r));
  lua_pushboolean(L, b->task != NULL);
  if (b->failure != LUA_NOREF)
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->failure);
  else if (b->r->error < 0)
    lv_push_oserror(L, b->r->error, "read", NULL);
  else
    lua_pushnil(L);
  return 3;
}
