/* bind/proctree.c — The processes below us, and their cgroups.
 * @module luvisor.core.proctree */
#include "os/proctree.h"
#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "core/strangers.h"
#include "os/cgroup.h"
#include "os/fd.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a call has allocated: a Lua value, so that an error of Lua's frees it.
 */
typedef struct {
  lv_pids pids;
  lv_proctree tree;
  char *text;
} scratch;

static const char SCRATCH[] = "luvisor.proctree.scratch";

static scratch *push_scratch(lua_State *L) {
  scratch *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (scratch){.text = NULL};
  luaL_setmetatable(L, SCRATCH);
  return s;
}

static int l_scratch_gc(lua_State *L) {
  scratch *s = lua_touserdata(L, 1);
  lv_pids_fini(&s->pids);
  lv_proctree_fini(&s->tree);
  free(s->text);
  s->text = NULL;
  return 0;
}

static void set_integer(lua_State *L, const char *name, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static void push_stat(lua_State *L, const lv_procstat *s) {
  lua_createtable(L, 0, 6);
  set_integer(L, "pid", s->pid);
  set_integer(L, "ppid", s->ppid);
  set_integer(L, "session", s->session);
  set_integer(L, "start", (lua_Integer)s->start);
  lua_pushlstring(L, &s->state, 1);
  lua_setfield(L, -2, "state");
  lua_pushstring(L, s->comm);
  lua_setfield(L, -2, "name");
}

static int push_tree(lua_State *L, const lv_proctree *tree) {
  lua_createtable(L, (int)tree->n, 0);
  for (size_t i = 0; i < tree->n; i++) {
    push_stat(L, &tree->list[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static void append(lua_State *L, int list, const lv_procstat *stat) {
  push_stat(L, stat);
  lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

/* Two lists: those that are alive, and the zombies. */
static int push_processes(lua_State *L, const lv_pids *pids) {
  lua_createtable(L, (int)pids->n, 0);
  lua_newtable(L);
  int dead = lua_gettop(L);
  for (size_t i = 0; i < pids->n; i++) {
    lv_procstat stat;
    if (lv_procstat_read(&stat, pids->list[i]) < 0) continue;
    append(L, lv_procstat_is_dead(&stat) ? dead : dead - 1, &stat);
  }
  return 2;
}

/* ---- looks ---- */

static const char LOOK[] = "luvisor.proctree.look";

typedef struct {
  lv_proctree all; /* unless the kernel lists children */
  bool is_whole;
} sight;

static const lv_proctree *all_of(const sight *l) {
  return l->is_whole ? &l->all : NULL;
}

/*** proctree.look() -> Look
 * What can be asked for orphans and those below them, all as of now, or a
 * little later where the kernel answers that at once. */
static int l_look(lua_State *L) {
  sight *l = lua_newuserdatauv(L, sizeof *l, 0);
  *l = (sight){.is_whole = !lv_proc_lists_children()};
  luaL_setmetatable(L, LOOK);
  int rc = l->is_whole ? lv_proctree_all(&l->all) : 0;
  return rc < 0 ? lv_raise_os(L, rc, "read", "/proc") : 1;
}

static int l_look_gc(lua_State *L) {
  sight *l = lua_touserdata(L, 1);
  lv_proctree_fini(&l->all);
  return 0;
}

/*** Look:below({pid, ...}) -> list of {pid, ppid, session, start, state, name}
 * Those that are alive and all below them, each after its parent. */
static int l_below(lua_State *L) {
  const sight *l = luaL_checkudata(L, 1, LOOK);
  luaL_checktype(L, 2, LUA_TTABLE);
  scratch *s = push_scratch(L);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
  int rc = 0;
  for (lua_Integer i = 1; rc == 0 && i <= n; i++) {
    lua_rawgeti(L, 2, i);
    rc = lv_pids_add(&s->pids, (pid_t)lua_tointeger(L, -1));
    lua_pop(L, 1);
  }
  if (rc == 0) rc = lv_proctree_below(&s->tree, &s->pids, all_of(l));
  return rc < 0 ? lv_raise_os(L, rc, "read", "/proc") : push_tree(L, &s->tree);
}

/*** Look:orphans() -> list of {pid, …}, list of {pid, …}
 * Our children that we have not started: those that are alive, and those that
 * are dead and not reaped yet. */
static int l_orphans(lua_State *L) {
  const sight *l = luaL_checkudata(L, 1, LOOK);
  scratch *s = push_scratch(L);
  int rc = lv_strangers_list(&s->pids, &lv_host_of(L)->rt, all_of(l));
  return rc < 0 ? lv_raise_os(L, rc, "read", "/proc")
                : push_processes(L, &s->pids);
}

/*** proctree.stat(pid) -> {pid, ppid, session, start, state, name} | nil
 * nil: there is none, or it is dead. */
static int l_stat(lua_State *L) {
  lv_procstat stat;
  int rc = lv_procstat_read(&stat, (pid_t)luaL_checkinteger(L, 1));
  if (rc < 0 || lv_procstat_is_dead(&stat))
    lua_pushnil(L);
  else
    push_stat(L, &stat);
  return 1;
}

/*** proctree.uid(pid) -> uid | nil */
static int l_uid(lua_State *L) {
  long uid = lv_proc_uid((pid_t)luaL_checkinteger(L, 1));
  if (uid < 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, uid);
  return 1;
}

/*** proctree.env(pid, name) -> string | nil | false
 * As it was at its exec. nil: there is none, or we may not know; false: it is
 * just being executed. */
static int l_env(lua_State *L) {
  pid_t pid = (pid_t)luaL_checkinteger(L, 1);
  const char *name = luaL_checkstring(L, 2);
  scratch *s = push_scratch(L);
  int rc = lv_proc_env(pid, name, &s->text);
  if (rc == -EAGAIN)
    lua_pushboolean(L, false);
  else
    lua_pushstring(L, s->text); /* nil for NULL */
  return 1;
}

/*** proctree.signal(pid, start, signal) -> boolean
 * Signal this very process; false: it has ended. */
static int l_signal(lua_State *L) {
  pid_t pid = (pid_t)luaL_checkinteger(L, 1);
  unsigned long long start = (unsigned long long)luaL_checkinteger(L, 2);
  int rc = lv_proc_signal_exactly(pid, start, lv_check_signal(L, 3));
  if (rc < 0 && rc != -ESRCH) return lv_raise_os(L, rc, "signal", NULL);
  lua_pushboolean(L, rc == 0);
  return 1;
}

/*** proctree.adopt_orphans()
 * Every orphan below us becomes our child, and is reaped at its end. */
static int l_adopt_orphans(lua_State *L) {
  int rc = lv_strangers_adopt(&lv_host_of(L)->rt);
  return rc < 0 ? lv_raise_os(L, rc, "prctl", "PR_SET_CHILD_SUBREAPER") : 0;
}

/*** proctree.leave_orphans() */
static int l_leave_orphans(lua_State *L) {
  lv_strangers_leave(&lv_host_of(L)->rt);
  return 0;
}

/*** proctree.cgroup_own() -> string | nil
 * The folder of our own cgroup of version 2. */
static int l_cgroup_own(lua_State *L) {
  scratch *s = push_scratch(L);
  s->text = lv_cgroup_own();
  lua_pushstring(L, s->text); /* nil for NULL */
  return 1;
}

/*** proctree.cgroup_make(dir) -> boolean
 * false: it cannot be made. */
static int l_cgroup_make(lua_State *L) {
  lua_pushboolean(L, mkdir(luaL_checkstring(L, 1), 0755) == 0);
  return 1;
}

static const char LOCK[] = "luvisor.CgroupLock";

/*** proctree.cgroup_lock(dir) -> Lock | nil
 * Mark the folder as in use, until the lock is closed here and wherever its
 * descriptor, lock:fd(), was given to. nil: somebody else uses it, or there is
 * none. */
static int l_cgroup_lock(lua_State *L) {
  const char *dir = luaL_checkstring(L, 1);
  int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
  *fd = -1;
  luaL_setmetatable(L, LOCK);
  *fd = lv_cgroup_lock(dir);
  if (*fd < 0) lua_pushnil(L);
  return 1;
}

/*** Lock:fd() -> fd
 * -1: it is closed. */
/*** lock:fd() -> integer
 * Its descriptor; -1 when it is closed. */
static int l_lock_fd(lua_State *L) {
  const int *fd = luaL_checkudata(L, 1, LOCK);
  lua_pushinteger(L, *fd);
  return 1;
}

/*** Lock:close()
 * Twice is harmless. */
/*** lock:close()
 * Twice is harmless. */
static int l_lock_close(lua_State *L) {
  int *fd = luaL_checkudata(L, 1, LOCK);
  if (*fd >= 0) lv_fd_close(fd);
  return 0;
}

/*** proctree.cgroup_can_enter(dir) -> boolean
 * Can processes be started in it? */
static int l_cgroup_can_enter(lua_State *L) {
  lua_pushboolean(L, lv_cgroup_can_enter(luaL_checkstring(L, 1)));
  return 1;
}

/*** proctree.cgroup_list(dir) -> list of {pid, …}
 * Those in it and below it that are alive. */
static int l_cgroup_list(lua_State *L) {
  const char *dir = luaL_checkstring(L, 1);
  scratch *s = push_scratch(L);
  int rc = lv_cgroup_members(&s->pids, dir);
  if (rc < 0) return lv_raise_os(L, rc, "read", dir);
  push_processes(L, &s->pids);
  lua_pop(L, 1);
  return 1;
}

/* The list to add to is on top. */
static int add_folder(const char *sub, void *arg) {
  lua_State *L = arg;
  lua_pushstring(L, sub);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  return 0;
}

/*** proctree.cgroup_folders(dir) -> list of paths */
static int l_cgroup_folders(lua_State *L) {
  const char *dir = luaL_checkstring(L, 1);
  lua_newtable(L);
  lv_cgroup_each(dir, add_folder, L);
  return 1;
}

/*** proctree.cgroup_populated(dir) -> boolean */
static int l_cgroup_populated(lua_State *L) {
  lua_pushboolean(L, lv_cgroup_is_populated(luaL_checkstring(L, 1)));
  return 1;
}

/*** proctree.cgroup_kill(dir) -> boolean
 * KILL to all in it at once; false: the kernel cannot. */
static int l_cgroup_kill(lua_State *L) {
  lua_pushboolean(L, lv_cgroup_kill(luaL_checkstring(L, 1)) == 0);
  return 1;
}

/*** proctree.cgroup_remove_empty(dir) -> boolean
 * true: nobody was in it, and it is gone. */
static int l_cgroup_remove_empty(lua_State *L) {
  lua_pushboolean(L, lv_cgroup_remove_empty(luaL_checkstring(L, 1)) == 0);
  return 1;
}

/*** proctree.cgroup_remove(dir) -> boolean
 * false: something is in it still. */
static int l_cgroup_remove(lua_State *L) {
  lua_pushboolean(L, lv_cgroup_remove(luaL_checkstring(L, 1)) == 0);
  return 1;
}

int lv_open_proctree(lua_State *L) {
  static const luaL_Reg scratch_meta[] = {{"__gc", l_scratch_gc}, {NULL, NULL}};
  static const luaL_Reg look_meta[] = {{"__gc", l_look_gc}, {NULL, NULL}};
  static const luaL_Reg lock_meta[] = {{"__gc", l_lock_close}, {NULL, NULL}};
  static const luaL_Reg look[] = {
      {"below", l_below}, {"orphans", l_orphans}, {NULL, NULL}};
  static const luaL_Reg lock[] = {
      {"fd", l_lock_fd}, {"close", l_lock_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"look", l_look},
      {"stat", l_stat},
      {"uid", l_uid},
      {"env", l_env},
      {"signal", l_signal},
      {"adopt_orphans", l_adopt_orphans},
      {"leave_orphans", l_leave_orphans},
      {"cgroup_own", l_cgroup_own},
      {"cgroup_make", l_cgroup_make},
      {"cgroup_lock", l_cgroup_lock},
      {"cgroup_can_enter", l_cgroup_can_enter},
      {"cgroup_list", l_cgroup_list},
      {"cgroup_folders", l_cgroup_folders},
      {"cgroup_populated", l_cgroup_populated},
      {"cgroup_kill", l_cgroup_kill},
      {"cgroup_remove", l_cgroup_remove},
      {"cgroup_remove_empty", l_cgroup_remove_empty},
      {NULL, NULL}};
  lv_make_class(L, SCRATCH, NULL, scratch_meta);
  lv_make_class(L, LOOK, look, look_meta);
  lv_make_class(L, LOCK, lock, lock_meta);
  luaL_newlib(L, functions);
  return 1;
}
