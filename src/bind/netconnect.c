/* bind/netconnect.c — Connecting to one address.
 * @module luvisor.core.net */
#include "bind/net.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "core/watch.h"
#include "os/fd.h"
#include "os/sock.h"

#include <errno.h>
#include <lauxlib.h>

static const char METATABLE[] = "luvisor.net_connecting";

/* Stack of all here: address, Reader, Writer, attempt */
enum { ADDRESS = 1, READER, WRITER, ATTEMPT };

typedef struct {
  int fd;
  lv_watch *watch;
  lv_task *task;
} attempt;

static void give_up(attempt *op) {
  lv_watch_close(op->watch);
  op->watch = NULL;
  lv_fd_close(&op->fd);
}

static void on_writable(void *arg, int events) {
  attempt *op = arg;
  (void)events;
  lv_watch_close(op->watch);
  op->watch = NULL;
  lv_wake(op->task, 0);
}

static lv_abort abort_connect(lv_task *t, void *op) {
  (void)t;
  give_up(op);
  return LV_STOPPED;
}

static int fail(lua_State *L, attempt *op, int code) {
  lv_addr to = lv_check_addr(L, ADDRESS);
  give_up(op);
  return lv_raise_os(L, code, "connect", lv_push_addr_text(L, &to));
}

static int finish(lua_State *L, attempt *op) {
  lv_addr to = lv_check_addr(L, ADDRESS);
  int copy = lv_fd_dup(op->fd);
  if (copy < 0) return fail(L, op, copy);
  int pair[2] = {op->fd, copy};
  op->fd = -1;
  lua_settop(L, WRITER);
  return lv_push_connection(L, lua_touserdata(L, READER),
                            lua_touserdata(L, WRITER), pair, &to);
}

static int connect_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  attempt *op = lua_touserdata(L, ATTEMPT);
  (void)status, (void)ctx;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  int rc = lv_sock_error(op->fd);
  return rc < 0 ? fail(L, op, rc) : finish(L, op);
}

static int wait_for(lua_State *L, lv_task *t, attempt *op) {
  int rc = lv_watch_open(&op->watch, &t->host->rt.loop, op->fd, false,
                         on_writable, op);
  if (rc == 0) rc = lv_watch_set(op->watch, UV_WRITABLE);
  if (rc < 0) return fail(L, op, rc);
  return lv_park(L, t, "a connection to be made", op, abort_connect,
                 connect_done);
}

/*** net._connect(address) -> Reader, Writer, Address, Address | nil
 * The addresses are ours and the peer's. nil: the backlog of a Unix socket is
 * full, and nothing will tell when it is not. */
int lv_l_connect(lua_State *L) {
  lv_addr to = lv_check_addr(L, ADDRESS);
  lv_task *t = lv_task_check(L);
  lua_settop(L, ADDRESS);
  lv_push_reader_box(L);
  lv_push_writer_box(L);
  attempt *op = lua_newuserdatauv(L, sizeof *op, 0);
  *op = (attempt){.fd = -1, .task = t};
  luaL_setmetatable(L, METATABLE);
  op->fd = lv_sock_open(to.sa.sa_family);
  if (op->fd < 0) return fail(L, op, op->fd);
  int rc = lv_sock_connect(op->fd, &to);
  if (rc == 0) return finish(L, op);
  if (rc == -EINPROGRESS) return wait_for(L, t, op);
  if (rc != -EAGAIN || to.sa.sa_family != AF_UNIX) return fail(L, op, rc);
  give_up(op);
  return 0;
}

static int l_gc(lua_State *L) {
  give_up(lua_touserdata(L, 1));
  return 0;
}

void lv_make_connect_class(lua_State *L) {
  static const luaL_Reg meta[] = {{"__gc", l_gc}, {NULL, NULL}};
  lv_make_class(L, METATABLE, NULL, meta);
}
