/* bind/copy.c — Reader to Writer without Lua in between.
 * @module luvisor.stream
 * @type Reader */
#include "bind/error.h"
#include "bind/reader.h"
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

static int raise_failed(lua_State *L, int code) {
  if (code == -EBADF)
    return lv_raise(L, "Closed", "copy_to: a stream was closed meanwhile");
  if (code != -EPIPE && code != -ECONNRESET)
    return lv_raise_os(L, code, "copy_to", NULL);
  lv_push_error(L, "BrokenPipe", "copy_to: nobody reads the stream any more");
  lua_pushstring(L, lv_errno_name(code));
  lua_setfield(L, -2, "code");
  return lua_error(L);
}

/* Stack: reader, writer, close?, relay */
static int copy_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  lv_relay *relay = lua_touserdata(L, 4);
  lv_reader_box *r = lua_touserdata(L, 1);
  r->task = NULL;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  if (t->status < 0) return raise_failed(L, t->status);
  if (relay->error < 0) return raise_failed(L, relay->error);
  if (lua_toboolean(L, 3)) lv_writer_close(relay->w);
  lua_pushinteger(L, (lua_Integer)relay->total);
  return 1;
}

/* A Duplex stands for its Writer. */
static lv_writer_box *check_target(lua_State *L) {
  if (lua_istable(L, 2)) {
    lua_getfield(L, 2, "_writer");
    lua_replace(L, 2);
  }
  return lv_check_writer(L, 2);
}

/*** r:copy_to(writer[, {close =}]) -> integer
 * Move all that comes to the writer, until the end, and wait until the kernel
 * has taken it; the number of bytes. With close, close the writer then. Between
 * pipes and sockets by splice(2), so that the bytes never enter our memory.
 * Several readers may be copied to one writer, and it may be written to
 * meanwhile: what is copied comes in pieces as it was written, not in lines.
 * A cancelled copy has lost nothing and can be taken up again.
 * @raise BrokenPipe: nobody reads the other side; Busy: another task reads
 * here; Closed, OSError */
int lv_l_copy_to(lua_State *L) {
  lua_settop(L, 3);
  lv_reader_box *r = lv_check_reader(L, 1);
  lv_writer_box *w = check_target(L);
  lv_check_option(L, 3, "copy_to", "close", "boolean");
  if (!lua_isnil(L, 3)) {
    lua_getfield(L, 3, "close");
    lua_replace(L, 3);
  }
  lv_reader_box_check_free(L, r);
  if (w->w->error < 0) return raise_failed(L, w->w->error);
  if (w->w->closing) return lv_raise(L, "Closed", "the writer is closed");
  if (w->file) fflush(w->file);
  lv_task *t = lv_task_check(L);
  lv_relay *relay = lua_newuserdatauv(L, sizeof *relay, 0);
  lv_relay_init(relay, r->r, w->w, on_relayed, t);
  int rc = lv_relay_start(relay);
  if (rc < 0) return lv_raise_os(L, rc, "copy_to", NULL);
  r->task = t;
  r->scanned = 0;
  return lv_park(L, t, "a copy to end", relay, abort_copy, copy_done);
}
