/* bind/net.c — Addresses and names of hosts. An address is in Lua a string of
 * its bytes while it is only handed on, and a table where a person reads it.
 * @module luvisor.core.net */
#include "bind/net.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "core/netresolve.h"
#include "os/fd.h"
#include "os/sock.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

static const char ADDRESS[] = "luvisor.Address";
static const char LOOKUP[] = "luvisor.net_lookup";

/* ---- addresses ---- */

lv_addr lv_check_addr(lua_State *L, int arg) {
  size_t n;
  const char *bytes = luaL_checklstring(L, arg, &n);
  lv_addr a = {.len = 0};
  luaL_argcheck(L, n <= sizeof a.storage, arg, "not an address");
  memcpy(&a.storage, bytes, n);
  a.len = (socklen_t)n;
  return a;
}

void lv_push_addr(lua_State *L, const lv_addr *a) {
  lua_pushlstring(L, (const char *)&a->storage, a->len);
}

static void push_path(lua_State *L, const lv_addr *a) {
  size_t n;
  const char *path = lv_addr_path(a, &n);
  if (n == 0) {
    lua_pushnil(L);
    return;
  }
  lua_pushlstring(L, path, n);
  if (*path != '\0') return;
  lua_pushlstring(L, path + 1, n - 1);
  lua_remove(L, -2);
  lua_pushliteral(L, "@");
  lua_insert(L, -2);
  lua_concat(L, 2);
}

const char *lv_push_addr_text(lua_State *L, const lv_addr *a) {
  char host[LV_ADDR_TEXT];
  int family = a->sa.sa_family;
  if (family == AF_UNIX) {
    push_path(L, a);
    if (!lua_isnil(L, -1)) return lua_tostring(L, -1);
    lua_pop(L, 1);
    return lua_pushliteral(L, "a socket without a name");
  }
  if (lv_addr_host(a, host) < 0) return lua_pushliteral(L, "a socket");
  return lua_pushfstring(L, family == AF_INET6 ? "[%s]:%d" : "%s:%d", host,
                         lv_addr_port(a));
}

void lv_push_address(lua_State *L, const lv_addr *a) {
  char host[LV_ADDR_TEXT];
  lua_createtable(L, 0, 5);
  if (a->sa.sa_family == AF_UNIX) {
    lua_pushliteral(L, "unix");
    push_path(L, a);
    lua_setfield(L, -3, "path");
  } else {
    lua_pushstring(L, a->sa.sa_family == AF_INET6 ? "ipv6" : "ipv4");
    lua_pushstring(L, lv_addr_host(a, host) < 0 ? "" : host);
    lua_setfield(L, -3, "host");
    lua_pushinteger(L, lv_addr_port(a));
    lua_setfield(L, -3, "port");
  }
  lua_setfield(L, -2, "family");
  luaL_setmetatable(L, ADDRESS);
}

static void push_field(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  luaL_tolstring(L, -1, NULL);
  lua_remove(L, -2);
}

static int l_address_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  bool v6 = lua_getfield(L, 1, "family") == LUA_TSTRING &&
            strcmp(lua_tostring(L, -1), "ipv6") == 0;
  if (lua_getfield(L, 1, "path") != LUA_TNIL) return 1;
  if (lua_getfield(L, 1, "host") == LUA_TNIL) {
    lua_pushliteral(L, "a socket without a name");
    return 1;
  }
  push_field(L, "host");
  push_field(L, "port");
  lua_pushfstring(L, v6 ? "[%s]:%s" : "%s:%s", lua_tostring(L, -2),
                  lua_tostring(L, -1));
  return 1;
}

static void add_credentials(lua_State *L, int fd) {
  pid_t pid;
  uid_t uid;
  gid_t gid;
  if (lv_sock_creds(fd, &pid, &uid, &gid) < 0) return;
  lua_pushinteger(L, pid);
  lua_setfield(L, -2, "pid");
  lua_pushinteger(L, uid);
  lua_setfield(L, -2, "uid");
  lua_pushinteger(L, gid);
  lua_setfield(L, -2, "gid");
}

int lv_push_connection(lua_State *L, lv_reader_box *r, lv_writer_box *w,
                       int pair[2], lv_addr *peer) {
  lv_rt *rt = &lv_host_of(L)->rt;
  const lv_io in = {pair[0], LV_IO_OWN}, out = {pair[1], LV_IO_OWN};
  int rc = lv_reader_box_open(r, rt, in, LV_READER_LIMIT);
  if (rc == 0) pair[0] = -1; /* the reader's, which will be collected */
  if (rc == 0) rc = lv_writer_box_open(w, rt, out);
  if (rc < 0) {
    lv_fd_close(&pair[0]);
    lv_fd_close(&pair[1]);
    return lv_raise_os(L, rc, "open a stream", NULL);
  }
  w->w->ends_by_shutdown = true;
  lv_addr own = {.len = 0};
  lv_sock_name(out.fd, &own);
  lv_push_address(L, &own);
  lv_push_address(L, peer);
  if (peer->sa.sa_family == AF_UNIX) add_credentials(L, out.fd);
  return 4;
}

/*** net.unix_address(path) -> address
 * Of a file, or of an abstract name behind "@".
 * @raise OSError ENAMETOOLONG */
static int l_unix_address(lua_State *L) {
  size_t n;
  const char *path = luaL_checklstring(L, 1, &n);
  lv_addr a;
  int rc = lv_addr_unix(&a, path, n);
  if (rc < 0) return lv_raise_os(L, rc, luaL_checkstring(L, 2), path);
  lv_push_addr(L, &a);
  return 1;
}

/* ---- names ---- */

typedef struct {
  lv_resolve *job; /* NULL: over */
  lv_task *task;
  struct addrinfo *found;
  int status;
} lookup;

static void on_resolved(void *arg, int status, struct addrinfo *found) {
  lookup *op = arg;
  op->job = NULL;
  op->status = status;
  op->found = found;
  lv_wake(op->task, 0);
}

static lv_abort abort_lookup(lv_task *t, void *arg) {
  lookup *op = arg;
  (void)t;
  lv_resolve_abandon(op->job);
  op->job = NULL;
  return LV_STOPPED;
}

/* Stack: host, port, … */
static int raise_unresolved(lua_State *L, int code) {
  const char *name = uv_err_name(code), *host = lua_tostring(L, 1);
  lv_push_error(L, "OSError", "resolve %s: %s (%s)", host, uv_strerror(code),
                name);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "code");
  lua_pushliteral(L, "resolve");
  lua_setfield(L, -2, "op");
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "subject");
  return lua_error(L);
}

static void push_list(lua_State *L, const lv_addr *list, int n) {
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lv_push_addr(L, &list[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_found(lua_State *L, const struct addrinfo *at, int port) {
  lua_newtable(L);
  for (lua_Integer n = 1; at; at = at->ai_next, n++) {
    lv_addr a = {.len = at->ai_addrlen};
    memcpy(&a.storage, at->ai_addr, at->ai_addrlen);
    lv_addr_set_port(&a, port);
    lv_push_addr(L, &a);
    lua_rawseti(L, -2, n);
  }
}

static int lookup_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  lookup *op = lua_touserdata(L, 3);
  (void)status, (void)ctx;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  if (op->status < 0) return raise_unresolved(L, op->status);
  push_found(L, op->found, (int)lua_tointeger(L, 2));
  uv_freeaddrinfo(op->found);
  op->found = NULL;
  return 1;
}

static int l_lookup_gc(lua_State *L) {
  lookup *op = lua_touserdata(L, 1);
  if (op->job) lv_resolve_abandon(op->job);
  if (op->found) uv_freeaddrinfo(op->found);
  *op = (lookup){0};
  return 0;
}

/*** net.resolve(host | nil, port) -> list of address
 * nil: every address of this machine. Waits, unless host is in digits.
 * @raise OSError EAI_NONAME and its like */
static int l_resolve(lua_State *L) {
  const char *host = luaL_optstring(L, 1, NULL);
  int port = (int)luaL_checkinteger(L, 2);
  lv_addr numeric[2];
  lua_settop(L, 2);
  int n = lv_addr_numeric(numeric, host, port);
  if (n > 0) {
    push_list(L, numeric, n);
    return 1;
  }
  lv_task *t = lv_task_check(L);
  lookup *op = lua_newuserdatauv(L, sizeof *op, 0);
  *op = (lookup){.task = t};
  luaL_setmetatable(L, LOOKUP);
  int rc = lv_resolve_start(&op->job, &t->host->rt.loop, host, on_resolved, op);
  if (rc < 0) return raise_unresolved(L, rc);
  return lv_park(L, t, "the address of a host", op, abort_lookup, lookup_done);
}

int lv_open_net(lua_State *L) {
  static const luaL_Reg functions[] = {{"unix_address", l_unix_address},
                                       {"resolve", l_resolve},
                                       {"_connect", lv_l_connect},
                                       {"_listen", lv_l_listen},
                                       {NULL, NULL}};
  static const luaL_Reg address[] = {{"__tostring", l_address_tostring},
                                     {NULL, NULL}};
  static const luaL_Reg looked_up[] = {{"__gc", l_lookup_gc}, {NULL, NULL}};
  lv_make_class(L, ADDRESS, NULL, address);
  lv_make_class(L, LOOKUP, NULL, looked_up);
  lv_make_connect_class(L);
  lv_make_listener_class(L);
  luaL_newlib(L, functions);
  return 1;
}
