/* bind/http.c — An HTTP server as Lua sees it: requests to take, answers to
 * give. What is made of it is lua/luvisor/http/server.lua's.
 *
 * A request may be attached to the task that answers it: should the peer leave,
 * that task is cancelled, and nobody else.
 * @module luvisor.core.http */
#include "bind/http.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "bind/net.h"
#include "os/fd.h"
#include "os/sock.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

static const char METATABLE[] = "luvisor.HttpServer";

typedef struct {
  lv_http *http; /* NULL once closed */
  lv_task *task; /* that waits for a request, or NULL */
  lv_list came;  /* lv_http_req.link: whole, and not taken */
  bool stopped;
  size_t nfiles;
  struct {
    lv_addr at;
    lv_sock_file file;
  } files[LV_HTTP_PLACES];
} server;

/* ---- requests that have come ---- */

static void on_event(void *arg, lv_http_req *r, lv_http_event what) {
  (void)arg;
  if (what == LV_HTTP_ROOM) return;
  lv_list_del(&r->link);
  r->fn = NULL;
  lv_http_unref(r);
}

static void on_request(void *arg, lv_http_req *r) {
  server *s = arg;
  r->refs++;
  r->fn = on_event;
  lv_list_push(&s->came, &r->link);
  if (s->task && s->task->state == LV_PARKED) lv_wake(s->task, 0);
}

static int next_done(lua_State *L, int status, lua_KContext ctx);

static lv_abort abort_next(lv_task *t, void *op) {
  (void)t;
  ((server *)op)->task = NULL;
  return LV_STOPPED;
}

static int next(lua_State *L, server *s) {
  if (s->http == NULL || s->stopped) return 0;
  if (lv_list_is_empty(&s->came)) {
    lv_task *t = lv_task_check(L);
    s->task = t;
    return lv_park(L, t, "a request", s, abort_next, next_done);
  }
  lv_push_http_request(L, LV_OF(s->came.next, lv_http_req, link));
  return 1;
}

static int next_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  server *s = lua_touserdata(L, 1);
  (void)status, (void)ctx;
  if (s->task == t) s->task = NULL;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  return next(L, s);
}

/*** server:next() -> request | nil
 * The next request that has come whole; waits. nil: it is stopped. One task at
 * a time. */
static int l_next(lua_State *L) {
  server *s = luaL_checkudata(L, 1, METATABLE);
  lua_settop(L, 1);
  if (s->task) return lv_raise(L, "Busy", "another task waits for a request");
  return next(L, s);
}

/* ---- opening and closing ---- */

static lua_Number number_of(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  lua_Number n = luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return n;
}

static int fail(lua_State *L, int rc) {
  bool missing = rc == -ELIBACC;
  return lv_raise_os(L, rc, missing ? "load" : "serve",
                     missing ? "libmicrohttpd.so.12" : NULL);
}

/*** http.server{max_connections =, max_head =, max_body =, max_bodies =,
 * receive =, stall =} -> server
 * @raise OSError ELIBACC: there is no libmicrohttpd */
static int l_server(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lv_http_opts opts = {
      .max_connections = (unsigned)number_of(L, "max_connections"),
      .max_head = (size_t)number_of(L, "max_head"),
      .max_body = (size_t)number_of(L, "max_body"),
      .max_bodies = (size_t)number_of(L, "max_bodies"),
      .receive = number_of(L, "receive"),
      .stall = number_of(L, "stall"),
      .came = on_request,
  };
  lv_host_check_open(L);
  server *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (server){0};
  lv_list_init(&s->came);
  luaL_setmetatable(L, METATABLE);
  opts.arg = s;
  int rc = lv_http_open(&s->http, &lv_host_of(L)->rt, &opts);
  return rc < 0 ? fail(L, rc) : 1;
}

static int listen_at(server *s, const lv_addr *at, int backlog, int mode) {
  if (s->nfiles == LV_HTTP_PLACES) return -EMFILE;
  lv_sock_file *file = &s->files[s->nfiles].file;
  *file = (lv_sock_file){0};
  int fd = at->sa.sa_family == AF_UNIX
               ? lv_sock_listen_unix(at, backlog, mode, file)
               : lv_sock_listen(at, backlog);
  if (fd < 0) return fd;
  int rc = lv_http_listen(s->http, fd);
  if (rc < 0) {
    lv_sock_unlink(at, file);
    lv_fd_close(&fd);
    return rc;
  }
  s->files[s->nfiles++].at = *at;
  return fd;
}

/*** server:listen(address, backlog, mode) -> Address | nil
 * Listen there as well. mode: of a Unix socket's file. nil: another process
 * does the same in that directory just now.
 * @raise OSError EADDRINUSE and its like */
static int l_listen(lua_State *L) {
  server *s = luaL_checkudata(L, 1, METATABLE);
  lv_addr at = lv_check_addr(L, 2);
  int backlog = (int)luaL_checkinteger(L, 3);
  int mode = (int)luaL_optinteger(L, 4, -1);
  if (s->http == NULL || s->stopped)
    return lv_raise(L, "Closed", "listen: the server is closed");
  int fd = listen_at(s, &at, backlog, mode);
  if (fd == -EAGAIN) return 0;
  if (fd < 0) return lv_raise_os(L, fd, "listen", lv_push_addr_text(L, &at));
  lv_addr bound = at;
  lv_sock_name(fd, &bound);
  lv_push_address(L, &bound);
  return 1;
}

static void stop(server *s) {
  if (s->stopped) return;
  s->stopped = true;
  lv_http_stop(s->http);
  for (size_t i = 0; i < s->nfiles; i++)
    lv_sock_unlink(&s->files[i].at, &s->files[i].file);
  if (s->task && s->task->state == LV_PARKED) lv_wake(s->task, 0);
}

/*** server:stop()
 * Listen no more; requests that were taken can be answered still. Who waits for
 * one gets nil. */
static int l_stop(lua_State *L) {
  server *s = luaL_checkudata(L, 1, METATABLE);
  if (s->http) stop(s);
  return 0;
}

static int l_close(lua_State *L) {
  server *s = luaL_checkudata(L, 1, METATABLE);
  if (s->http == NULL) return 0;
  stop(s);
  lv_http_close(s->http);
  s->http = NULL;
  return 0;
}

/*** server:connections() -> integer */
static int l_connections(lua_State *L) {
  const server *s = luaL_checkudata(L, 1, METATABLE);
  lua_pushinteger(L, s->http ? lv_http_connections(s->http) : 0);
  return 1;
}

int lv_open_http(lua_State *L) {
  static const luaL_Reg functions[] = {{"server", l_server}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"next", l_next},   {"listen", l_listen},
      {"stop", l_stop},   {"connections", l_connections},
      {"close", l_close}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", l_close}, {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
  lv_make_http_request_class(L);
  luaL_newlib(L, functions);
  return 1;
}
