/* bind/copy.c — Reader to Writer without Lua in between.
 * @module luvisor.stream
 * @type Reader */
#include "bind/error.h"
#include "bind/host.h"
#include "bind/stream.h"
#include "core/relay.h"

#include <errno.h>
#include <lauxlib.h>

static void on_relayed(lv_relay *relay, void *arg) {
  (void)relay;
  lv_wake(arg, 0);
}

static lv_abort abort_copy(lv_task *t, void *op) {
  (void)t;
  lv_relay_stop(op);
  return LV_STOPPED;
}

/* Stack: reader, writer, close?, relay */
static int copy_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  lv_relay *relay = lua_touserdata(L, 4);
  lv_relay_stop(relay);
  lv_to_reader(L, 1)->task = NULL;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  if (t->status == -EBADF || relay->error == -EBADF)
    return lv_raise(L, "Closed", "copy_to: a stream was closed meanwhile");
  if (relay->error == -EPIPE)
    return lv_raise(L, "BrokenPipe",
                    "copy_to: nobody reads the stream any more");
  if (relay->error < 0) return lv_raise_os(L, relay->error, "copy_to", NULL);
  if (lua_toboolean(L, 3)) lv_writer_close(relay->w);
  lua_pushinteger(L, (lua_Integer)relay->total);
  return 1;
}

/*** r:copy_to(writer[, {close =}]) -> integer
 * Move all that comes to the writer, until the end; the number of bytes. With
 * close, close the writer then. By splice(2) where both are pipes or files: the
 * bytes never enter our memory. BrokenPipe when nobody reads the other side;
 * a cancelled copy has lost nothing and can be taken up again. */
int lv_l_copy_to(lua_State *L) {
  lv_reader_box *r = lv_check_reader(L, 1);
  lv_writer_box *w = lv_check_writer(L, 2);
  bool close = false;
  if (lua_istable(L, 3)) {
    lua_getfield(L, 3, "close");
    close = lua_toboolean(L, -1);
  }
  if (r->task)
    return lv_raise(L, "Busy", "another task is reading this stream already");
  if (w->w->closing) return lv_raise(L, "Closed", "the writer is closed");
  lv_task *t = lv_task_check(L);
  lua_settop(L, 2);
  lua_pushboolean(L, close);
  lv_relay *relay = lua_newuserdatauv(L, sizeof *relay, 0);
  lv_relay_init(relay, r->r, w->w, on_relayed, t);
  int rc = lv_relay_start(relay);
  if (rc < 0) return lv_raise_os(L, rc, "copy_to", NULL);
  r->task = t;
  r->scanned = 0;
  return lv_park(L, t, "a copy to end", relay, abort_copy, copy_done);
}
