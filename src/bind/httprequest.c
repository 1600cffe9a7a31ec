/* bind/httprequest.c — One request and its answer. See http.c.
 * @module luvisor.core.http */
#include "bind/http.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/net.h"
#include "bind/task.h"
#include "os/peer.h"
#include "os/sock.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const char METATABLE[] = "luvisor.HttpRequest";

enum {
  TASK = 1, /* the user value: the one that it is attached to */
  HIGH = 64 * 1024
};

typedef struct {
  lv_http_req *r; /* NULL once closed */
  lv_task *task;  /* to be cancelled should the peer leave */
  lv_task *waiter;
  bool for_room; /* … else for the end */
  bool sent;
} box;

/* ---- what happens to it ---- */

static void wake(box *b, int status) {
  lv_task *t = b->waiter;
  b->waiter = NULL;
  if (t) lv_wake(t, status);
}

/* A task that waits for something else is cancelled there. */
static void on_event(void *arg, lv_http_req *r, lv_http_event what) {
  box *b = arg;
  (void)r;
  if (what == LV_HTTP_ROOM) {
    if (b->for_room) wake(b, 0);
    return;
  }
  b->sent = what == LV_HTTP_SENT;
  lv_task *t = b->task;
  b->task = NULL;
  if (t && !b->sent && t->state != LV_DONE) lv_scope_cancel(&t->own);
  wake(b, 0);
}

static box *check(lua_State *L) {
  return luaL_checkudata(L, 1, METATABLE);
}

void lv_push_http_request(lua_State *L, lv_http_req *r) {
  box *b = lua_newuserdatauv(L, sizeof *b, TASK);
  *b = (box){0};
  luaL_setmetatable(L, METATABLE);
  lv_list_del(&r->link);
  b->r = r;
  r->fn = on_event;
  r->arg = b;
}

static bool is_over(const box *b) {
  return b->r == NULL || b->r->conn == NULL || b->r->gone;
}

/*** request:attach()
 * From now on the calling task is cancelled if the peer leaves; so it is now if
 * it has left. */
static int l_attach(lua_State *L) {
  box *b = check(L);
  lv_task *t = lv_task_check(L);
  lv_task_push(L, t);
  lua_setiuservalue(L, 1, TASK);
  if (is_over(b))
    lv_scope_cancel(&t->own);
  else
    b->task = t;
  return 0;
}

static void leave(box *b) {
  b->task = NULL;
  if (b->r == NULL) return;
  lv_http_req *r = b->r;
  b->r = NULL;
  r->fn = NULL;
  lv_http_abort(r);
  lv_http_unref(r);
}

/*** request:close()
 * It is done with: what has not been answered to the end is closed upon. Twice
 * is harmless. */
static int l_close(lua_State *L) {
  leave(check(L));
  return 0;
}

/* ---- what was asked ---- */

static void lower(char *s) {
  for (; *s; s++)
    if (*s >= 'A' && *s <= 'Z') *s = (char)(*s - 'A' + 'a');
}

enum { NAME = 128 };

/* Stack: …, headers. Values of one name are joined, as HTTP has it. */
static int add_header(lua_State *L) {
  const char *const *pair = lua_touserdata(L, 2);
  char name[NAME];
  size_t n = strlen(pair[0]);
  if (n >= sizeof name) return 0;
  memcpy(name, pair[0], n + 1);
  lower(name);
  if (lua_getfield(L, 1, name) == LUA_TNIL)
    lua_pushstring(L, pair[1]);
  else
    lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), pair[1]);
  lua_setfield(L, 1, name);
  return 0;
}

/* Called by the library, through which no error may be raised. */
static void on_header(void *arg, const char *name, const char *value) {
  lua_State *L = arg;
  const char *const pair[] = {name, value};
  lua_pushcfunction(L, add_header);
  lua_pushvalue(L, -2);
  lua_pushlightuserdata(L, (void *)pair);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_pop(L, 1);
}

static void push_groups(lua_State *L, int fd) {
  gid_t *groups;
  size_t n;
  lua_newtable(L);
  if (lv_peer_groups(fd, &groups, &n) < 0) return;
  luaL_checkstack(L, 4, NULL);
  for (size_t i = 0; i < n; i++) {
    lua_pushinteger(L, groups[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  free(groups);
}

/* Push {pid =, uid =, gid =, groups =}, or nil: it is no Unix socket. */
static void push_peer(lua_State *L, int fd) {
  pid_t pid;
  uid_t uid;
  gid_t gid;
  lv_addr own = {.len = 0};
  lv_sock_name(fd, &own);
  if (own.sa.sa_family != AF_UNIX || lv_sock_creds(fd, &pid, &uid, &gid) < 0) {
    lua_pushnil(L);
    return;
  }
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, pid);
  lua_setfield(L, -2, "pid");
  lua_pushinteger(L, uid);
  lua_setfield(L, -2, "uid");
  lua_pushinteger(L, gid);
  lua_setfield(L, -2, "gid");
  push_groups(L, fd);
  lua_setfield(L, -2, "groups");
}

static void set_text(lua_State *L, const char *name, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

/*** request:info() -> table | nil
 * method, target, version, headers (by lower-case name), body, refused (the
 * status that is to be the answer, 413 or 503, as the body is too large), peer
 * (pid, uid, gid, groups; of a Unix socket). nil: it is over. */
static int l_info(lua_State *L) {
  box *b = check(L);
  if (is_over(b)) return 0;
  lv_http_req *r = b->r;
  lua_createtable(L, 0, 8);
  set_text(L, "method", r->method);
  set_text(L, "target", r->target);
  set_text(L, "version", r->version);
  size_t n = lv_buf_size(&r->body);
  lua_pushlstring(L, n ? lv_buf_bytes(&r->body) : "", n);
  lua_setfield(L, -2, "body");
  if (r->refused) {
    lua_pushinteger(L, r->refused);
    lua_setfield(L, -2, "refused");
  }
  push_peer(L, lv_http_fd(r));
  lua_setfield(L, -2, "peer");
  lua_newtable(L);
  luaL_checkstack(L, 8, NULL);
  lv_http_headers(r, on_header, L);
  lua_setfield(L, -2, "headers");
  return 1;
}

/* ---- the answer ---- */

static int raise_left(lua_State *L) {
  lv_push_error(L, "BrokenPipe", "answer: the client has left");
  lua_pushliteral(L, "EPIPE");
  lua_setfield(L, -2, "code");
  return lua_error(L);
}

/* Stack: request, status, {name, value, …}, … */
static int add_headers(lua_State *L, lv_http_req *r) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, 3);
  for (lua_Integer i = 1; i < n; i += 2) {
    lua_rawgeti(L, 3, i);
    lua_rawgeti(L, 3, i + 1);
    const char *name = lua_tostring(L, -2), *value = lua_tostring(L, -1);
    int rc = name && value ? lv_http_header(r, name, value) : -EINVAL;
    if (rc == -EINVAL) {
      leave(check(L));
      return lv_usage(L, "answer: %s: %s is no header",
                      luaL_tolstring(L, -2, NULL), luaL_tolstring(L, -2, NULL));
    }
    lua_pop(L, 2);
  }
  return 0;
}

/*** request:answer(status, {name, value, …}, body | nil[, patient])
 * Never waits. Without a body it is written bit by bit: see write. patient: the
 * client may take as long as it likes to read it.
 * @raise BrokenPipe: the client has left; UsageError */
static int l_answer(lua_State *L) {
  box *b = check(L);
  lua_Integer status = luaL_checkinteger(L, 2);
  luaL_argcheck(L, status >= 200 && status <= 599, 2, "from 200 to 599");
  luaL_checktype(L, 3, LUA_TTABLE);
  size_t n = 0;
  const char *body = lua_isnoneornil(L, 4) ? NULL : luaL_checklstring(L, 4, &n);
  if (is_over(b)) return raise_left(L);
  if (b->r->status != 0)
    return lv_usage(L, "answer: it has been answered already");
  int rc = lv_http_begin(b->r, (unsigned)status, body ? n : LV_HTTP_UNKNOWN);
  if (rc < 0) return lv_raise_os(L, rc, "answer", NULL);
  b->r->patient = lua_toboolean(L, 5);
  add_headers(L, b->r);
  if (body) rc = lv_http_write(b->r, body, n);
  if (rc < 0) return lv_raise_os(L, rc, "answer", NULL);
  if (body) lv_http_end(b->r);
  lv_http_send(b->r);
  return 0;
}

static lv_abort abort_wait(lv_task *t, void *op) {
  (void)t;
  ((box *)op)->waiter = NULL;
  return LV_STOPPED;
}

static int wait_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  box *b = lua_touserdata(L, 1);
  (void)status, (void)ctx;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  if (!b->for_room) {
    lua_pushboolean(L, b->sent);
    return 1;
  }
  return is_over(b) ? raise_left(L) : 0;
}

static int wait_for(lua_State *L, lv_task *t, box *b, bool room) {
  b->waiter = t;
  b->for_room = room;
  return lv_park(L, t, room ? "a client to read" : "an answer to be read", b,
                 abort_wait, wait_done);
}

static lv_task *check_waiter(lua_State *L, const box *b) {
  if (b->waiter) lv_raise(L, "Busy", "another task waits for this request");
  return lv_task_check(L);
}

/*** request:write(s)
 * More of an answer that was begun without a body. Waits while much waits for
 * the client.
 * @raise BrokenPipe: it has left */
static int l_write(lua_State *L) {
  box *b = check(L);
  size_t n;
  const char *s = luaL_checklstring(L, 2, &n);
  lv_task *t = check_waiter(L, b);
  if (is_over(b)) return raise_left(L);
  int rc = lv_http_write(b->r, s, n);
  if (rc < 0) return lv_raise_os(L, rc, "answer", NULL);
  return lv_buf_size(&b->r->out) > HIGH ? wait_for(L, t, b, true) : 0;
}

/*** request:finish() -> boolean
 * Nothing more will be written; wait until all of it is sent. false: the client
 * left before. */
static int l_finish(lua_State *L) {
  box *b = check(L);
  lv_task *t = check_waiter(L, b);
  if (!is_over(b)) {
    lv_http_end(b->r);
    return wait_for(L, t, b, false);
  }
  lua_pushboolean(L, b->sent);
  return 1;
}

/*** request:is_over() -> boolean
 * It has been answered to the end, or its client has left. */
static int l_is_over(lua_State *L) {
  lua_pushboolean(L, is_over(check(L)));
  return 1;
}

void lv_make_http_request_class(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"attach", l_attach}, {"info", l_info},     {"answer", l_answer},
      {"write", l_write},   {"finish", l_finish}, {"is_over", l_is_over},
      {"close", l_close},   {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
}
