/* bind/control.c — What the control socket needs of the system: that there is
 * one supervisor to a folder, and the numbers of users and groups.
 * @module luvisor.core.control */
#include "bind/class.h"
#include "bind/error.h"
#include "bind/modules.h"
#include "os/cred.h"
#include "os/lockfile.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

static const char LOCK[] = "luvisor.LockFile";

typedef struct {
  int fd; /* -1 once closed */
  char path[];
} lock;

/*** control.lock(path) -> lock | nil, pid | nil
 * Take a lock file, until lock:close(), which removes it. nil: another process
 * has it.
 * @raise OSError */
static int l_lock(lua_State *L) {
  size_t n;
  const char *path = luaL_checklstring(L, 1, &n);
  lock *l = lua_newuserdatauv(L, sizeof *l + n + 1, 0);
  l->fd = -1;
  memcpy(l->path, path, n + 1);
  luaL_setmetatable(L, LOCK);
  pid_t holder;
  int rc = lv_lockfile_take(path, &holder);
  if (rc == -EWOULDBLOCK) {
    lua_pushnil(L);
    if (holder == 0) return 1;
    lua_pushinteger(L, holder);
    return 2;
  }
  if (rc < 0) return lv_raise_os(L, rc, "lock", path);
  l->fd = rc;
  return 1;
}

/*** lock:close()
 * Let another have it. Twice is harmless. */
static int l_unlock(lua_State *L) {
  lock *l = luaL_checkudata(L, 1, LOCK);
  lv_lockfile_drop(l->path, &l->fd);
  return 0;
}

/*** control.user(name) -> uid | nil
 * nil: there is no such user. May block.
 * @raise OSError */
static int l_user(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  lv_cred cred;
  int rc = lv_cred_user(name, &cred);
  if (rc == -ENOENT) return 0;
  if (rc < 0) return lv_raise_os(L, rc, "look up user", name);
  lua_pushinteger(L, cred.uid);
  lv_cred_free(&cred);
  return 1;
}

/*** control.group(name) -> gid | nil
 * @raise OSError */
static int l_group(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  gid_t gid;
  int rc = lv_cred_group(name, &gid);
  if (rc == -ENOENT) return 0;
  if (rc < 0) return lv_raise_os(L, rc, "look up group", name);
  lua_pushinteger(L, gid);
  return 1;
}

int lv_open_control(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"lock", l_lock}, {"user", l_user}, {"group", l_group}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"close", l_unlock}, {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__gc", l_unlock}, {"__close", l_unlock}, {NULL, NULL}};
  lv_make_class(L, LOCK, methods, meta);
  luaL_newlib(L, functions);
  return 1;
}
