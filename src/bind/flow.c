/* bind/flow.c — Writer: writing that never waits, as asyncio's transports do.
 *
 * More than `high` pending bytes pause the writer, until no more than `low` are
 * left; only who asks for room waits for that. What is put into a writer that
 * has lost its reader is dropped. (asyncio rules S22, S23, S24)
 * @module luvisor.core.stream */
#include "bind/error.h"
#include "bind/writer.h"
#include "os/fd.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>

typedef lv_writer_box box;

static bool is_over(const box *b) {
  return b->w->closing || b->w->io.fd < 0;
}

/* Closed by ourselves in the middle of it is lost, too. */
static int raise_lost(lua_State *L, box *b) {
  int code = b->w->error;
  b->told = true;
  if (code != 0 && code != -EPIPE && code != -ECONNRESET && code != -EBADF)
    return lv_raise_os(L, code, "write", NULL);
  bool reset = code == 0 || code == -EBADF;
  lv_push_error(L, "BrokenPipe", "write: the connection is lost");
  lua_pushstring(L, lv_errno_name(reset ? -ECONNRESET : code));
  lua_setfield(L, -2, "code");
  return lua_error(L);
}

/*** w:_put(s) -> pending, paused | nil
 * Queue s, never waiting; the bytes that the kernel has not taken yet. nil: the
 * writer is closed or broken, and s dropped. */
int lv_l_put(lua_State *L) {
  box *b = lv_check_writer(L, 1);
  size_t n;
  const char *s = lua_tolstring(L, 2, &n);
  if (s == NULL)
    return lv_usage(L, "write: expected a string, got %s", luaL_typename(L, 2));
  if (is_over(b)) return 0;
  if (b->file) fflush(b->file);
  int rc = n < LV_LEND_FROM ? lv_writer_put(b->w, s, n)
                            : lv_writer_box_lend(L, b, 2);
  if (rc < 0) return 0;
  size_t pending = lv_writer_pending(b->w);
  if (pending > b->high) b->paused = true;
  lua_pushinteger(L, (lua_Integer)pending);
  lua_pushboolean(L, b->paused);
  return 2;
}

/*** w:_gather()
 * From now on what is put into a file is handed to its thread when the program
 * is about to wait, all at once: for lines that nobody waits for. */
int lv_l_gather(lua_State *L) {
  lv_check_writer(L, 1)->w->gathers = true;
  return 0;
}

static int room_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  box *b = lv_writer_box_woken(L);
  return b->w->error < 0 ? raise_lost(L, b) : 0;
}

/*** w:_room()
 * Wait while it is paused. Raises BrokenPipe, or what writing failed with, once
 * the descriptor is closed. */
int lv_l_room(lua_State *L) {
  box *b = lv_check_writer(L, 1);
  if (b->w->io.fd < 0) return raise_lost(L, b);
  if (!b->paused) return 0;
  return lv_writer_box_park(L, b, b->low, room_done);
}

/* A reader that went when there was nothing for it has missed nothing. */
static int push_end(lua_State *L, box *b) {
  int code = b->w->error;
  if (code == 0 || code == -EBADF || b->w->lost) return 0;
  return raise_lost(L, b);
}

static int closed_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return push_end(L, lv_writer_box_woken(L));
}

/*** w:_until_closed()
 * Wait until the descriptor is closed: by `close`, all that was queued being
 * written, by `abort`, or because nobody reads any more. Raises what writing
 * failed with. */
int lv_l_until_closed(lua_State *L) {
  box *b = lv_check_writer(L, 1);
  int rc = lv_writer_watch_loss(b->w);
  if (rc < 0) return lv_raise_os(L, rc, "write", NULL);
  if (b->w->io.fd < 0) return push_end(L, b);
  return lv_writer_box_park(L, b, LV_UNTIL_CLOSED, closed_done);
}

/*** w:_is_lost() -> boolean
 * Closed, or nobody reads the pipe any more. */
int lv_l_is_lost(lua_State *L) {
  const box *b = lv_check_writer(L, 1);
  lua_pushboolean(L, b->w->io.fd < 0 || lv_fd_has_lost_reader(b->w->io.fd));
  return 1;
}

/*** w:_marks([high, low]) -> high, low */
int lv_l_marks(lua_State *L) {
  box *b = lv_check_writer(L, 1);
  if (!lua_isnoneornil(L, 2)) {
    b->high = (size_t)lv_check_size(L, 2, "high");
    b->low = (size_t)lv_check_size(L, 3, "low");
    size_t pending = lv_writer_pending(b->w);
    if (pending > b->high) b->paused = true;
    if (pending <= b->low) b->paused = false;
  }
  lua_pushinteger(L, (lua_Integer)b->high);
  lua_pushinteger(L, (lua_Integer)b->low);
  return 2;
}
