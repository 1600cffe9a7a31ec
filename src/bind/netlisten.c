/* bind/netlisten.c — Listening sockets.
 *
 * A connection is taken from the kernel by the task that gets it, when that
 * task runs, and by nobody before: so none is lost with a cancelled task. The
 * sockets are watched only while a task waits.
 *
 * Where there is no descriptor left for a connection the task rests a moment
 * and looks again: the sockets would say all the time that one is there.
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
#include <string.h>

static const char METATABLE[] = "luvisor.NetListener";

enum { TURN = 64 }; /* connections after which others get a turn */
static const double REST = 0.05;

typedef struct listener listener;

typedef struct {
  int fd;
  lv_watch *watch;
} listening;

struct listener {
  lv_rt *rt;       /* NULL once closed */
  lv_list waiting; /* tasks by link, for a connection */
  lv_list resting; /* … for a descriptor */
  bool watching;
  unsigned taken; /* since a task waited */
  lv_addr at;     /* of the first socket */
  lv_sock_file file;
  int n;
  listening socks[];
};

/* ---- watching ---- */

static void unwatch(listener *l) {
  l->watching = false;
  for (int i = 0; i < l->n; i++)
    if (l->socks[i].watch) lv_watch_set(l->socks[i].watch, 0);
}

static void on_connection(void *arg, int events) {
  listener *l = arg;
  (void)events;
  lv_list *node = lv_list_pop(&l->waiting);
  if (node) lv_wake(LV_OF(node, lv_task, link), 0);
  if (lv_list_is_empty(&l->waiting)) unwatch(l);
}

static int watch(listener *l) {
  int rc = 0;
  if (l->watching) return 0;
  for (int i = 0; i < l->n && rc == 0; i++) {
    listening *s = &l->socks[i];
    if (s->watch == NULL)
      rc = lv_watch_open(&s->watch, &l->rt->loop, s->fd, false, on_connection,
                         l);
    if (rc == 0) rc = lv_watch_set(s->watch, UV_READABLE);
  }
  l->watching = true;
  if (rc < 0) unwatch(l);
  return rc;
}

static lv_abort abort_wait(lv_task *t, void *op) {
  listener *l = op;
  lv_list_del(&t->link);
  if (lv_list_is_empty(&l->waiting)) unwatch(l);
  return LV_STOPPED;
}

static void on_rested(lv_timer *timer) {
  lv_task *t = LV_OF(timer, lv_task, timer);
  lv_list_del(&t->link);
  lv_wake(t, 0);
}

static lv_abort abort_rest(lv_task *t, void *op) {
  listener *l = op;
  lv_list_del(&t->link);
  lv_timer_stop(&l->rt->timers, &t->timer);
  return LV_STOPPED;
}

/* ---- accepting ---- */

/* Stack of all here: listener, Reader, Writer */
enum { LISTENER = 1, READER, WRITER };

static int accept_done(lua_State *L, int status, lua_KContext ctx);

static int raise_failed(lua_State *L, const listener *l, int rc) {
  return lv_raise_os(L, rc, "accept", lv_push_addr_text(L, &l->at));
}

static int wait_for(lua_State *L, lv_task *t, listener *l) {
  int rc = watch(l);
  if (rc < 0) return raise_failed(L, l, rc);
  l->taken = 0;
  lv_list_push(&l->waiting, &t->link);
  return lv_park(L, t, "a connection", l, abort_wait, accept_done);
}

static int rest(lua_State *L, lv_task *t, listener *l) {
  t->timer.fn = on_rested;
  if (lv_timer_start(&l->rt->timers, &t->timer, REST) < 0)
    return luaL_error(L, "not enough memory");
  lv_list_push(&l->resting, &t->link);
  return lv_park(L, t, "a descriptor for a connection", l, abort_rest,
                 accept_done);
}

/* 0 or -errno: -EAGAIN if there is none. */
static int accept_from(int fd, int pair[2], lv_addr *peer) {
  int rc;
  do
    rc = lv_sock_accept(fd, pair, peer);
  while (lv_sock_is_passing(rc));
  return rc;
}

static int accept_any(const listener *l, int pair[2], lv_addr *peer) {
  int rc = -EAGAIN;
  for (int i = 0; i < l->n && rc == -EAGAIN; i++)
    rc = accept_from(l->socks[i].fd, pair, peer);
  return rc;
}

static int try_accept(lua_State *L, lv_task *t, listener *l) {
  int pair[2];
  lv_addr peer = {.len = 0};
  if (++l->taken > TURN) {
    l->taken = 0;
    return lv_pause(L, t, accept_done);
  }
  int rc = accept_any(l, pair, &peer);
  if (rc == 0)
    return lv_push_connection(L, lua_touserdata(L, READER),
                              lua_touserdata(L, WRITER), pair, &peer);
  if (rc == -EAGAIN) return wait_for(L, t, l);
  if (lv_sock_is_shortage(rc)) return rest(L, t, l);
  return raise_failed(L, l, rc);
}

static int accept_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  listener *l = lua_touserdata(L, LISTENER);
  (void)status, (void)ctx;
  if (t->status == -ECANCELED || lv_task_is_cancelled(t))
    return lv_raise_cancelled(L, t);
  return l->rt ? try_accept(L, t, l) : 0;
}

/*** listener:accept() -> Reader, Writer, Address, Address | nil
 * The addresses are ours and the peer's. nil: it is closed. Waits; any number
 * of tasks may. */
static int l_accept(lua_State *L) {
  listener *l = luaL_checkudata(L, LISTENER, METATABLE);
  lv_task *t = lv_task_check(L);
  if (l->rt == NULL) return 0;
  lua_settop(L, LISTENER);
  lv_push_reader_box(L);
  lv_push_writer_box(L);
  return try_accept(L, t, l);
}

/* ---- opening and closing ---- */

static void close_sockets(listener *l) {
  for (int i = 0; i < l->n; i++) {
    lv_watch_close(l->socks[i].watch);
    lv_fd_close(&l->socks[i].fd);
  }
  l->n = 0;
  l->watching = false;
  lv_sock_unlink(&l->at, &l->file);
  l->file = (lv_sock_file){0};
}

static void wake_resting(listener *l) {
  lv_list *node;
  while ((node = lv_list_pop(&l->resting)) != NULL) {
    lv_task *t = LV_OF(node, lv_task, link);
    lv_timer_stop(&l->rt->timers, &t->timer);
    lv_wake(t, -EBADF);
  }
}

/*** listener:close()
 * Who waits for a connection gets nil; the file of a Unix socket is removed.
 * Twice is harmless. */
static int l_close(lua_State *L) {
  listener *l = luaL_checkudata(L, 1, METATABLE);
  if (l->rt == NULL) return 0;
  close_sockets(l);
  wake_resting(l);
  lv_wake_all(&l->waiting, -EBADF);
  l->rt = NULL;
  return 0;
}

static int l_gc(lua_State *L) {
  listener *l = lua_touserdata(L, 1);
  close_sockets(l);
  return 0;
}

/*** listener:addresses() -> list of Address
 * Where it listens. */
static int l_addresses(lua_State *L) {
  const listener *l = luaL_checkudata(L, 1, METATABLE);
  lua_createtable(L, l->n, 0);
  for (int i = 0; i < l->n; i++) {
    lv_addr a = {.len = 0};
    int rc = lv_sock_name(l->socks[i].fd, &a);
    if (rc < 0) return lv_raise_os(L, rc, "listen", NULL);
    lv_push_address(L, &a);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/*** listener:share() -> list of descriptors
 * For programs that are to accept from them: blocking, as these expect what
 * they inherit to be. Nobody accepts here then. They are the listener's. */
static int l_share(lua_State *L) {
  const listener *l = luaL_checkudata(L, 1, METATABLE);
  lua_createtable(L, l->n, 0);
  for (int i = 0; i < l->n; i++) {
    int rc = lv_fd_set_nonblocking(l->socks[i].fd, false);
    if (rc < 0) return lv_raise_os(L, rc, "listen", NULL);
    lua_pushinteger(L, l->socks[i].fd);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* One more socket; 0 or -errno. A port that the kernel chose for the first is
 * the port of all. */
static int add(listener *l, lv_addr at, int backlog, int mode) {
  int fd;
  if (l->n > 0 && lv_addr_port(&at) == 0)
    lv_addr_set_port(&at, lv_addr_port(&l->at));
  if (at.sa.sa_family == AF_UNIX)
    fd = lv_sock_listen_unix(&at, backlog, mode, &l->file);
  else
    fd = lv_sock_listen(&at, backlog);
  if (fd < 0) return fd;
  if (l->n == 0 && lv_sock_name(fd, &l->at) < 0) l->at = at;
  l->socks[l->n++] = (listening){.fd = fd};
  return 0;
}

static listener *push_listener(lua_State *L, size_t n) {
  lv_host_check_open(L);
  listener *l = lua_newuserdatauv(L, sizeof *l + n * sizeof *l->socks, 0);
  *l = (listener){.rt = &lv_host_of(L)->rt};
  lv_list_init(&l->waiting);
  lv_list_init(&l->resting);
  luaL_setmetatable(L, METATABLE);
  return l;
}

/* A host may have an address that no interface has; another will do. */
static bool is_missing(int code) {
  return code == -EADDRNOTAVAIL || code == -EAFNOSUPPORT;
}

static int fail(lua_State *L, listener *l, const lv_addr *at, int code) {
  bool chosen = l->n > 0 && lv_addr_port(at) == 0;
  close_sockets(l);
  if (code == -EAGAIN || (code == -EADDRINUSE && chosen)) return 0;
  return lv_raise_os(L, code, "listen", lv_push_addr_text(L, at));
}

/*** net._listen({address, ...}, backlog, mode) -> listener | nil
 * mode: of the file, -1: as umask has it. nil, which is for trying again:
 * another process listens anew in that directory, or has taken the port that
 * the kernel chose for the first address.
 * @raise OSError */
int lv_l_listen(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  int backlog = (int)luaL_checkinteger(L, 2);
  int mode = (int)luaL_checkinteger(L, 3);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
  listener *l = push_listener(L, (size_t)n);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 1, i);
    const lv_addr at = lv_check_addr(L, -1);
    lua_pop(L, 1);
    int rc = add(l, at, backlog, mode);
    bool others = l->n > 0 || i < n;
    if (rc < 0 && !(is_missing(rc) && others)) return fail(L, l, &at, rc);
  }
  return 1;
}

void lv_make_listener_class(lua_State *L) {
  static const luaL_Reg methods[] = {{"accept", l_accept},
                                     {"close", l_close},
                                     {"addresses", l_addresses},
                                     {"share", l_share},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", l_gc}, {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
}
