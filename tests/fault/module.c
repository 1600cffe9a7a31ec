/* tests/fault/module.c — The faults, for scripts, and looks at what only the
 * kernel knows.
 * @module luvisor.fault */
#include "fault.h"

#include "bind/error.h"
#include "bind/host.h"
#include "os/spawn.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *name_of(int error) {
  return error == LV_FAULT_SHORT ? "SHORT" : strerrorname_np(error);
}

static const lv_fault_site *check_site(lua_State *L, int arg) {
  const char *name = luaL_checkstring(L, arg);
  for (int i = 0; i < lv_fault_nsites; i++)
    if (strcmp(lv_fault_sites[i].name, name) == 0) return &lv_fault_sites[i];
  luaL_argerror(L, arg, "no such call");
  return NULL;
}

static int find_error(const int *list, const char *name) {
  for (; *list != 0; list++)
    if (strcmp(name_of(*list), name) == 0) return *list;
  return 0;
}

static int check_error(lua_State *L, int arg, const lv_fault_site *site) {
  const char *name = luaL_checkstring(L, arg);
  int error = find_error(site->raised, name);
  if (error == 0) error = find_error(site->survived, name);
  if (error == 0) error = find_error(site->either, name);
  luaL_argcheck(L, error != 0, arg, "this call does not give it");
  return error;
}

/*** fault.arm(call, n[, error[, times]])
 * The n-th call from now on fails with the error, and so do those after it, if
 * `times` is more than 1. n = 0 only counts. */
static int l_arm(lua_State *L) {
  const lv_fault_site *site = check_site(L, 1);
  lua_Integer nth = luaL_checkinteger(L, 2);
  int error = nth > 0 ? check_error(L, 3, site) : 0;
  lua_Integer times = luaL_optinteger(L, 4, 1);
  lua_settop(L, 0);
  lv_fault_arm(site, (unsigned)nth, (unsigned)times, error);
  return 0;
}

/*** fault.disarm() -> calls made, calls failed */
static int l_disarm(lua_State *L) {
  unsigned calls, failed;
  lv_fault_disarm(&calls, &failed);
  lua_pushinteger(L, calls);
  lua_pushinteger(L, failed);
  return 2;
}

static void set_list(lua_State *L, const char *name, const int *list) {
  lua_newtable(L);
  for (int i = 0; list[i] != 0; i++) {
    lua_pushstring(L, name_of(list[i]));
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, name);
}

/*** fault.sites() -> list of {name, raised, survived, either} */
static int l_sites(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; i < lv_fault_nsites; i++) {
    const lv_fault_site *site = &lv_fault_sites[i];
    lua_newtable(L);
    lua_pushstring(L, site->name);
    lua_setfield(L, -2, "name");
    set_list(L, "raised", site->raised);
    set_list(L, "survived", site->survived);
    set_list(L, "either", site->either);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/*** fault.errno(call, error) -> integer
 * As LUVISOR_FAULT wants it. */
static int l_errno(lua_State *L) {
  lua_pushinteger(L, check_error(L, 2, check_site(L, 1)));
  return 1;
}

/*** fault.pretend(lacks)
 * What was learnt of the kernel is forgotten, but for LV_LACKS_*. */
static int l_pretend(lua_State *L) {
  unsigned lacks = (unsigned)luaL_checkinteger(L, 1);
  lv_spawner_pretend(lv_host_of(L)->rt.spawner, lacks);
  return 0;
}

/*** fault.reap([pid]) -> pid | nil
 * Kill and reap a child that the runtime has lost; without a number, any that
 * has ended. nil: there is none. */
static int l_reap(lua_State *L) {
  pid_t pid = (pid_t)luaL_optinteger(L, 1, -1);
  if (pid > 0) kill(pid, SIGKILL);
  pid = waitpid(pid, NULL, pid > 0 ? 0 : WNOHANG);
  if (pid <= 0) return 0;
  lua_pushinteger(L, pid);
  return 1;
}

/*** fault.socketpair() -> fd, fd */
static int l_socketpair(lua_State *L) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
    return lv_raise_os(L, -errno, "socketpair", NULL);
  lua_pushinteger(L, fds[0]);
  lua_pushinteger(L, fds[1]);
  return 2;
}

/*** fault.close(fd) */
static int l_close(lua_State *L) {
  close((int)luaL_checkinteger(L, 1));
  return 0;
}

int lv_open_fault(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"arm", l_arm},     {"disarm", l_disarm},         {"sites", l_sites},
      {"errno", l_errno}, {"pretend", l_pretend},       {"reap", l_reap},
      {"close", l_close}, {"socketpair", l_socketpair}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
