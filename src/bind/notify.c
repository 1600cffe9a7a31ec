/* bind/notify.c — Sockets for the messages of sd_notify(3).
 * @module luvisor.core.notify */
#include "bind/class.h"
#include "bind/error.h"
#include "bind/fdwait.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "os/dgram.h"

#include <errno.h>
#include <lauxlib.h>

static const char METATABLE[] = "luvisor.NotifySocket";

enum {
  MESSAGE = 4096, /* longer ones are cut; sd_notify's are short */
  TURN = 64       /* messages after which others get a turn */
};

typedef struct {
  lv_fdwait in;
  unsigned taken; /* since a task waited */
} sock;

static int receive(lua_State *L, lv_task *t, sock *s);

static int receive_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  sock *s = lua_touserdata(L, 1);
  lv_fdwait_done(&s->in, t);
  if (t->status == -ECANCELED || lv_task_is_cancelled(t))
    return lv_raise_cancelled(L, t);
  if (s->in.fd < 0) return 0;
  return receive(L, t, s);
}

static int receive(lua_State *L, lv_task *t, sock *s) {
  char text[MESSAGE];
  lv_sender from;
  if (++s->taken > TURN) {
    s->taken = 0;
    return lv_pause(L, t, receive_done);
  }
  ssize_t n = lv_dgram_receive(
      s->in.fd, &(struct iovec){.iov_base = text, .iov_len = sizeof text},
      &from);
  if (n >= 0) {
    lua_pushlstring(L, text, (size_t)n);
    lua_pushinteger(L, from.pid);
    lua_pushinteger(L, (lua_Integer)from.uid);
    lua_pushboolean(L, from.is_cut);
    return 4;
  }
  if (n != -EAGAIN && n != -EINTR)
    return lv_raise_os(L, (int)n, "receive", NULL);
  s->taken = 0;
  lv_fdwait_check(L, &s->in); /* another may have come while we paused */
  int rc = lv_fdwait_park(L, t, &s->in, "a notification", receive_done);
  return lv_raise_os(L, rc, "watch", NULL);
}

/*** sock:receive() -> text, pid, uid, is_cut | nothing
 * The next message and who sent it; waits. Of one longer than 4096 bytes it is
 * the first of them. Nothing once it is closed. */
static int l_receive(lua_State *L) {
  sock *s = luaL_checkudata(L, 1, METATABLE);
  lua_settop(L, 1);
  if (s->in.fd < 0) return 0;
  lv_task *t = lv_task_check(L);
  lv_fdwait_check(L, &s->in);
  return receive(L, t, s);
}

/*** sock:close()
 * Who waits gets nothing. Twice is harmless. */
static int l_close(lua_State *L) {
  sock *s = luaL_checkudata(L, 1, METATABLE);
  lv_fdwait_close(&s->in);
  return 0;
}

/*** notify.open(address) -> sock
 * address: a path, or "@name" for an abstract one. Raises OSError. */
static int l_open(lua_State *L) {
  const char *address = luaL_checkstring(L, 1);
  sock *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (sock){.in.fd = -1};
  luaL_setmetatable(L, METATABLE);
  s->in.fd = lv_dgram_listen(address);
  int rc = s->in.fd < 0 ? s->in.fd : lv_fdwait_open(&s->in, lv_host_of(L));
  if (rc < 0) return lv_raise_os(L, rc, "listen", address);
  return 1;
}

/*** notify.send(address, text) -> boolean
 * false: nobody listens there. Never waits. */
static int l_send(lua_State *L) {
  size_t size;
  const char *address = luaL_checkstring(L, 1);
  const char *text = luaL_checklstring(L, 2, &size);
  lua_pushboolean(L, lv_dgram_send(address, text, size) == 0);
  return 1;
}

int lv_open_notify(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"receive", l_receive}, {"close", l_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"open", l_open}, {"send", l_send}, {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
  luaL_newlib(L, functions);
  return 1;
}
