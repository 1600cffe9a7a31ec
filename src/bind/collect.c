/* bind/collect.c — Reader for communicate: everything to the end, in the
 * background, while the task does something else.
 * @module luvisor.stream
 * @type Reader */
#include "bind/error.h"
#include "bind/reader.h"
#include "os/fd.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdint.h>

typedef lv_reader_box box;

static size_t enough(const box *b) {
  return b->most < SIZE_MAX ? b->most + 1 : SIZE_MAX;
}

/* r:_collect([max]): read to the end in the background, however much it is, or
 * until more than max bytes are there; never waits. */
int lv_l_collect(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lv_reader_box_check_free(L, b);
  b->most = lua_isnoneornil(L, 2) ? SIZE_MAX : (size_t)luaL_checkinteger(L, 2);
  b->r->bulk = b->r->may_widen = true;
  int rc = lv_reader_need(b->r, enough(b));
  return rc < 0 ? lv_raise_os(L, rc, "read", NULL) : 0;
}

static int finish_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  lv_task *t = lv_task_of(L);
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  box *b = lua_touserdata(L, 1);
  if (b->r == NULL) return lv_raise(L, "Closed", "the reader was closed");
  b->task = NULL;
  lua_pushboolean(L, lv_reader_is_done(b->r));
  return 1;
}

static lv_abort abort_finish(lv_task *t, void *op) {
  (void)t;
  ((box *)op)->task = NULL;
  return LV_STOPPED;
}

/* r:_finish() -> boolean: wait for the end of what _collect began; false if it
 * stopped at its max. Takes nothing; if it is cancelled collecting goes on. */
int lv_l_finish(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lv_reader_box_check_free(L, b);
  if (lv_reader_box_has(b, enough(b))) {
    lua_pushboolean(L, lv_reader_is_done(b->r));
    return 1;
  }
  lv_task *t = lv_task_check(L);
  int rc = lv_reader_need(b->r, enough(b));
  if (rc < 0) return lv_raise_os(L, rc, "read", NULL);
  b->task = t;
  return lv_park(L, t, "the end of a stream", b, abort_finish, finish_done);
}

/* r:_take() -> string: what is buffered. */
int lv_l_take(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  lv_reader_box_take(L, b, lv_reader_box_size(b), 0);
  return 1;
}

/* r:_unread_bytes() -> bytes in the pipe, the pipe's size, whether a task reads;
 * nothing after the end */
int lv_l_unread_bytes(lua_State *L) {
  box *b = lv_check_reader(L, 1);
  if (b->r->io.fd < 0) return 0;
  lua_pushinteger(L, lv_fd_unread(b->r->io.fd));
  lua_pushinteger(L, lv_fd_pipe_size(b->r->io.fd));
  lua_pushboolean(L, b->task != NULL);
  return 3;
}
