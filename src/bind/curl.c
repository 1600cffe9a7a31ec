/* bind/curl.c — Requests to HTTP servers, as a task makes them. What is made of
 * it is lua/luvisor/http/client.lua's.
 *
 * The task that waits drives the transfer itself: it goes on as far as it can,
 * parks until a socket is ready or curl's time has come, and goes on.
 * @module luvisor.core.curl */
#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "bind/net.h"
#include "bind/opts.h"
#include "bind/task.h"
#include "core/transfer.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

static const char METATABLE[] = "luvisor.Transfer";

enum { BODY = 1, URL, VALUES = URL };

typedef struct {
  lv_transfer *t; /* NULL once closed */
  lv_task *task;  /* that drives it now */
} box;

static box *check(lua_State *L) {
  box *b = luaL_checkudata(L, 1, METATABLE);
  if (b->t == NULL) lv_raise(L, "Closed", "the transfer is closed");
  if (b->task) lv_raise(L, "Busy", "another task waits for this answer");
  return b;
}

/* ---- waiting ---- */

static void on_news(void *arg) {
  box *b = arg;
  lv_wake(b->task, 0);
}

static lv_abort abort_wait(lv_task *t, void *op) {
  box *b = op;
  (void)t;
  lv_transfer_disarm(b->t);
  return LV_STOPPED;
}

static int raise_failed(lua_State *L, const box *b) {
  const char *text;
  int code = lv_transfer_error(b->t, &text);
  if (code == -ENOMEM) return luaL_error(L, "not enough memory");
  lua_getiuservalue(L, 1, URL);
  const char *url = lua_tostring(L, -1);
  if (code == -EMSGSIZE)
    return lv_raise(L, "LimitOverrun", "%s: the answer's head is too long",
                    url);
  if (code != -EREMOTEIO) return lv_raise_os(L, code, "connect", url);
  bool began = lv_transfer_has_connected(b->t);
  lv_push_error(L, began ? "IncompleteRead" : "Failed", "%s: %s", url, text);
  return lua_error(L);
}

/* Turns its step of a wait into results, or into 0: there are none yet. */
typedef int (*result_fn)(lua_State *L, box *b);

static int drive(lua_State *L, box *b, result_fn result, lua_KFunction k) {
  for (;;) {
    lv_transfer_step(b->t);
    int n = result(L, b);
    if (n > 0) return n;
    lv_task *t = lv_task_check(L);
    int rc = lv_transfer_arm(b->t, on_news, b);
    if (rc < 0) return lv_raise_os(L, rc, "wait", NULL);
    b->task = t;
    return lv_park(L, t, "an answer", b, abort_wait, k);
  }
}

static box *woken(lua_State *L) {
  const lv_task *t = lv_task_of(L);
  box *b = lua_touserdata(L, 1);
  b->task = NULL;
  if (t->status == -ECANCELED) lv_raise_cancelled(L, lv_task_of(L));
  if (b->t == NULL) lv_raise(L, "Closed", "the transfer is closed");
  return b;
}

/* ---- the head ---- */

static int head_result(lua_State *L, box *b) {
  const lv_buf *head = lv_transfer_head(b->t);
  if (head == NULL) return lv_transfer_is_done(b->t) ? raise_failed(L, b) : 0;
  lua_pushinteger(L, lv_transfer_status(b->t));
  lua_pushlstring(L, lv_buf_bytes(head), lv_buf_size(head));
  return 2;
}

static int head_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return drive(L, woken(L), head_result, head_done);
}

/*** transfer:head() -> status, lines
 * Make the request and wait for the head of the answer.
 * @raise OSError (connect), Failed, IncompleteRead, LimitOverrun, Busy */
static int l_head(lua_State *L) {
  box *b = check(L);
  lua_settop(L, 1);
  return drive(L, b, head_result, head_done);
}

/* ---- the body ---- */

static int read_result(lua_State *L, box *b) {
  lv_buf *body = lv_transfer_body(b->t);
  size_t n = lv_buf_size(body);
  if (n > 0) {
    lua_pushlstring(L, lv_buf_bytes(body), n);
    lv_buf_consume(body, n);
    return 1;
  }
  if (!lv_transfer_is_done(b->t)) return 0;
  const char *text;
  if (lv_transfer_error(b->t, &text) < 0) return raise_failed(L, b);
  lua_pushnil(L);
  return 1;
}

static int read_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return drive(L, woken(L), read_result, read_done);
}

/*** transfer:read() -> string | nil
 * The next bytes of the body, as many as there are; waits for one. nil: the
 * end.
 * @raise IncompleteRead: the connection was lost before */
static int l_read(lua_State *L) {
  box *b = check(L);
  lua_settop(L, 1);
  return drive(L, b, read_result, read_done);
}

/* ---- opening and closing ---- */

static const char *const *headers_of(lv_opts *o, size_t *n) {
  lua_State *L = o->L;
  lua_getfield(L, o->arg, "headers");
  int list = lua_gettop(L);
  *n = (size_t)lua_rawlen(L, list);
  const char **texts = lv_opts_keep_memory(o, (*n + 1) * sizeof *texts);
  for (size_t i = 0; i < *n; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    texts[i] = lv_opts_keep_text(o, "a header");
  }
  lua_settop(L, list - 1);
  return texts;
}

static int fail(lua_State *L, int rc, const char *url) {
  if (rc == -ELIBACC) return lv_raise_os(L, rc, "load", "libcurl.so.4");
  if (rc == -EINVAL) return lv_usage(L, "%s: libcurl cannot do that", url);
  return lv_raise_os(L, rc, "open", url);
}

/*** curl.open{method =, url =, headers = {"Name: value", …}, body =, path =,
 * resolved =, ca =, insecure =} -> transfer
 * Nothing is sent before it is waited for.
 * @raise OSError ELIBACC: there is no libcurl */
static int l_open(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lv_host_check_open(L);
  box *b = lua_newuserdatauv(L, sizeof *b, VALUES);
  *b = (box){0};
  luaL_setmetatable(L, METATABLE);
  lua_getfield(L, 1, "body");
  lua_setiuservalue(L, 2, BODY);
  lua_getfield(L, 1, "url");
  lua_setiuservalue(L, 2, URL);
  lv_opts o = lv_opts_begin(L, 1);
  lv_transfer_opts opts = {
      .method = lv_opts_text(&o, "method"),
      .url = lv_opts_text(&o, "url"),
      .path = lv_opts_text(&o, "path"),
      .resolved = lv_opts_text(&o, "resolved"),
      .ca = lv_opts_text(&o, "ca"),
      .insecure = lv_opts_flag(&o, "insecure"),
  };
  opts.headers = headers_of(&o, &opts.nheaders);
  lua_getiuservalue(L, 2, BODY);
  opts.body = lua_tolstring(L, -1, &opts.body_size);
  int rc = lv_transfer_open(&b->t, &lv_host_of(L)->rt, &opts);
  if (rc < 0) return fail(L, rc, opts.url);
  lua_settop(L, 2);
  return 1;
}

/*** transfer:close()
 * And its connection. Twice is harmless. */
static int l_close(lua_State *L) {
  box *b = luaL_checkudata(L, 1, METATABLE);
  if (b->t == NULL) return 0;
  lv_task *t = b->task;
  lv_transfer_close(b->t);
  b->t = NULL;
  b->task = NULL;
  if (t && t->state == LV_PARKED) lv_wake(t, 0);
  return 0;
}

/*** curl.resolved(host, port, {address, …}) -> string
 * What `open` takes so that it need not look the name up. */
static int l_resolved(lua_State *L) {
  luaL_Buffer buffer;
  const char *host = luaL_checkstring(L, 1);
  int port = (int)luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 3);
  lua_pushfstring(L, "%s:%d:", host, port);
  luaL_buffinit(L, &buffer);
  for (lua_Integer i = 1; i <= n; i++) {
    char text[LV_ADDR_TEXT];
    lua_rawgeti(L, 3, i);
    lv_addr a = lv_check_addr(L, -1);
    lua_pop(L, 1);
    if (lv_addr_host(&a, text) < 0) continue;
    bool v6 = a.sa.sa_family == AF_INET6;
    if (i > 1) luaL_addchar(&buffer, ',');
    if (v6) luaL_addchar(&buffer, '[');
    luaL_addstring(&buffer, text);
    if (v6) luaL_addchar(&buffer, ']');
  }
  luaL_pushresult(&buffer);
  lua_concat(L, 2);
  return 1;
}

int lv_open_curl(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"open", l_open}, {"resolved", l_resolved}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"head", l_head}, {"read", l_read}, {"close", l_close}, {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
  luaL_newlib(L, functions);
  return 1;
}
