/* bind/os.c — What our own Lua needs to know of the process it is in.
 * @module luvisor.core.os */
#include "bind/modules.h"

#include "bind/error.h"

#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <malloc.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/*** os.fds() -> list of integer
 * Our open descriptors, sorted. */
static int l_fds(lua_State *L) {
  DIR *dir = opendir("/proc/self/fd");
  if (dir == NULL) return lv_raise_os(L, -errno, "open", "/proc/self/fd");
  lua_newtable(L);
  lua_Integer n = 0;
  struct dirent *entry;
  while ((entry = readdir(dir)) != NULL) {
    if (*entry->d_name == '.') continue;
    int fd = (int)strtol(entry->d_name, NULL, 10);
    if (fd == dirfd(dir)) continue;
    lua_pushinteger(L, fd);
    lua_rawseti(L, -2, ++n);
  }
  closedir(dir);
  lua_getglobal(L, "table");
  lua_getfield(L, -1, "sort");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 0);
  lua_settop(L, 1);
  return 1;
}

static lua_Integer count_open(void) {
  struct stat st;
  if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) return st.st_size;
  DIR *dir = opendir("/proc/self/fd"); /* before Linux 6.2 */
  if (dir == NULL) return errno == EMFILE ? INT_MAX : 0;
  lua_Integer n = -1;
  const struct dirent *entry;
  while ((entry = readdir(dir)) != NULL)
    if (*entry->d_name != '.') n++;
  closedir(dir);
  return n;
}

/*** os.fds_left() -> integer
 * How many descriptors may be opened yet. */
static int l_fds_left(lua_State *L) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) limit.rlim_cur = RLIM_INFINITY;
  rlim_t most = limit.rlim_cur > INT_MAX ? INT_MAX : limit.rlim_cur;
  lua_Integer left = (lua_Integer)most - count_open();
  lua_pushinteger(L, left > 0 ? left : 0);
  return 1;
}

/*** os.getcwd() -> string */
static int l_getcwd(lua_State *L) {
  char *cwd = getcwd(NULL, 0);
  if (cwd == NULL) return lv_raise_os(L, -errno, "getcwd", NULL);
  lua_pushstring(L, cwd);
  free(cwd);
  return 1;
}

/*** os.getpid() -> integer */
static int l_getpid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

/*** os.geteuid() -> integer */
static int l_geteuid(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)geteuid());
  return 1;
}

/*** os.uname() -> node, system, release, machine */
static int l_uname(lua_State *L) {
  struct utsname name;
  if (uname(&name) < 0) return lv_raise_os(L, -errno, "uname", NULL);
  lua_pushstring(L, name.nodename);
  lua_pushstring(L, name.sysname);
  lua_pushstring(L, name.release);
  lua_pushstring(L, name.machine);
  return 4;
}

/*** os.isatty(fd) -> boolean */
static int l_isatty(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

/*** os.processors() -> integer
 * How many we may run on. */
static int l_processors(lua_State *L) {
  cpu_set_t set;
  int n = sched_getaffinity(0, sizeof set, &set) == 0
              ? CPU_COUNT(&set)
              : (int)sysconf(_SC_NPROCESSORS_ONLN);
  lua_pushinteger(L, n > 0 ? n : 1);
  return 1;
}

static bool is_file(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/*** os.is_executable(path) -> boolean
 * Whether it is a file that we may execute. */
static int l_is_executable(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_pushboolean(L, access(path, X_OK) == 0 && is_file(path));
  return 1;
}

/*** os.give_back()
 * Give the memory that is free to the kernel. */
static int l_give_back(lua_State *L) {
  (void)L;
  malloc_trim(0);
  return 0;
}

int lv_open_os(lua_State *L) {
  static const luaL_Reg functions[] = {{"fds", l_fds},
                                       {"fds_left", l_fds_left},
                                       {"getcwd", l_getcwd},
                                       {"geteuid", l_geteuid},
                                       {"uname", l_uname},
                                       {"getpid", l_getpid},
                                       {"isatty", l_isatty},
                                       {"processors", l_processors},
                                       {"is_executable", l_is_executable},
                                       {"give_back", l_give_back},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_pushliteral(L, LV_VERSION);
  lua_setfield(L, -2, "version");
  return 1;
}
