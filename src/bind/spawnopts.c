/* bind/spawnopts.c — See spawnopts.h. The options have been checked by
 * lua/luvisor/process/options.lua, as far as it can know; here is what takes C:
 * numbers for names, and who users and groups are. */
#include "bind/spawnopts.h"

#include "bind/error.h"
#include "bind/opts.h"
#include "bind/program.h"
#include "os/cred.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- failures ---- */

/* The options that a step of the spawn is about, the likelier one first. */
static const struct {
  const char *op, *options[2];
} subjects[] = {
    {"chdir", {"cwd", NULL}},
    {"chroot", {"chroot", NULL}},
    {"setuid", {"user", NULL}},
    {"setgid", {"group", "user"}},
    {"groups", {"user", NULL}},
    {"cgroup", {"cgroup", NULL}},
    {"nice", {"nice", NULL}},
    {"oom_score_adj", {"oom_score_adj", NULL}},
    {"setpgid", {"process_group", NULL}},
    {"exec", {"executable", NULL}},
};

static bool is_text(lua_State *L, int idx) {
  int type = lua_type(L, idx);
  return type == LUA_TSTRING || type == LUA_TNUMBER;
}

/* Push what op was about: an option's value, else the program. */
static const char *push_subject(lua_State *L, int arg, const char *op) {
  for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
    if (strcmp(op, subjects[i].op) != 0) continue;
    for (int k = 0; k < 2 && subjects[i].options[k]; k++) {
      lua_getfield(L, arg, subjects[i].options[k]);
      if (is_text(L, -1)) return lua_tostring(L, -1);
      lua_pop(L, 1);
    }
  }
  lua_rawgeti(L, arg, 1);
  return lua_tostring(L, -1);
}

static void push_argv(lua_State *L, int arg) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, arg);
  lua_createtable(L, (int)n, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, arg, i);
    lua_rawseti(L, -2, i);
  }
}

/* "there is none" says more of a user than "No such file or directory". */
static const char *explain(int rc, const char *op) {
  bool is_lookup = strcmp(op, "user") == 0 || strcmp(op, "group") == 0 ||
                   strcmp(op, "groups") == 0;
  return rc == -ENOENT && is_lookup ? "there is none" : strerror(-rc);
}

int lv_raise_spawn(lua_State *L, int arg, int rc, const char *op,
                   const char *subject) {
  luaL_checkstack(L, 10, NULL);
  arg = lua_absindex(L, arg);
  lua_rawgeti(L, arg, 1);
  const char *program = lua_tostring(L, -1);
  if (subject == NULL)
    subject = push_subject(L, arg, op);
  else
    lua_pushstring(L, subject);
  bool is_program = strcmp(subject, program) == 0;
  const char *name = lv_errno_name(rc), *why = explain(rc, op);
  if (is_program)
    lv_push_error(L, "SpawnError", "spawn \"%s\": %s: %s (%s)", program, op,
                  why, name);
  else
    lv_push_error(L, "SpawnError", "spawn \"%s\": %s \"%s\": %s (%s)", program,
                  op, subject, why, name);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "code");
  lua_pushstring(L, op);
  lua_setfield(L, -2, "op");
  lua_pushstring(L, subject);
  lua_setfield(L, -2, "subject");
  push_argv(L, arg);
  lua_setfield(L, -2, "argv");
  return lua_error(L);
}

/* ---- who it is ---- */

static int free_cred(lua_State *L) {
  lv_cred_free(lua_touserdata(L, 1));
  return 0;
}

/* An empty one, freed when it is no longer kept. */
static lv_cred *keep_cred(lv_opts *from) {
  lua_State *L = from->L;
  lv_cred *cred = lua_newuserdatauv(L, sizeof *cred, 0);
  *cred = (lv_cred){0};
  if (luaL_newmetatable(L, "luvisor.cred")) {
    lua_pushcfunction(L, free_cred);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  lv_opts_keep(from);
  return cred;
}

static bool has_group(const gid_t *groups, int n, gid_t group) {
  for (int i = 0; i < n; i++)
    if (groups[i] == group) return true;
  return false;
}

/* To set what is set already would take a privilege, too. */
static bool are_ours(const lv_cred *cred) {
  gid_t ours[256];
  int n = getgroups(256, ours);
  for (size_t i = 0; i < cred->ngroups; i++)
    if (!has_group(ours, n, cred->groups[i])) return false;
  for (int i = 0; i < n; i++)
    if (!has_group(cred->groups, (int)cred->ngroups, ours[i])) return false;
  return n >= 0;
}

static void read_user(lv_opts *from, lv_spawn_request *req) {
  lv_spawn_opts *to = &req->opts;
  const char *name = lv_opts_text(from, "user");
  if (name == NULL) return;
  lv_cred *cred = keep_cred(from);
  int rc = lv_cred_user(name, cred);
  if (rc < 0) lv_raise_spawn(from->L, from->arg, rc, "user", name);
  req->uid = cred->uid;
  req->gid = cred->gid;
  to->uid = &req->uid;
  to->gid = &req->gid;
  if (are_ours(cred)) return;
  to->groups = cred->groups;
  to->ngroups = cred->ngroups;
}

static gid_t find_group(lv_opts *from, const char *option, const char *name) {
  gid_t group;
  int rc = lv_cred_group(name, &group);
  if (rc < 0) lv_raise_spawn(from->L, from->arg, rc, option, name);
  return group;
}

static void read_group(lv_opts *from, lv_spawn_request *req) {
  const char *name = lv_opts_text(from, "group");
  if (name == NULL) return;
  req->gid = find_group(from, "group", name);
  req->opts.gid = &req->gid;
}

static void read_groups(lv_opts *from, lv_spawn_opts *to) {
  lua_State *L = from->L;
  if (lua_getfield(L, from->arg, "groups") == LUA_TTABLE) {
    size_t n = lua_rawlen(L, -1);
    gid_t *groups = lv_opts_keep_memory(from, (n + 1) * sizeof *groups);
    for (size_t i = 0; i < n; i++) {
      lua_rawgeti(L, -1, (lua_Integer)i + 1);
      groups[i] = find_group(from, "groups",
                             lv_opts_keep_text(from, "groups: a group"));
    }
    to->groups = groups;
    to->ngroups = n;
  }
  lua_pop(L, 1);
}

/* ---- what it may ---- */

static const struct {
  const char *name;
  int resource;
} resources[] = {
    {"as", RLIMIT_AS},
    {"core", RLIMIT_CORE},
    {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},
    {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

/* An integer, or "unlimited". */
static rlim_t to_limit(lua_State *L, int idx) {
  int is_integer;
  lua_Integer n = lua_tointegerx(L, idx, &is_integer);
  return is_integer ? (rlim_t)n : RLIM_INFINITY;
}

/* The value on top: one for both, or {soft, hard}. */
static struct rlimit read_limit(lua_State *L) {
  if (!lua_istable(L, -1)) {
    rlim_t both = to_limit(L, -1);
    return (struct rlimit){both, both};
  }
  lua_rawgeti(L, -1, 1);
  lua_rawgeti(L, -2, 2);
  struct rlimit limit = {to_limit(L, -2), to_limit(L, -1)};
  lua_pop(L, 2);
  return limit;
}

static void read_limits(lv_opts *from, lv_spawn_request *req) {
  lua_State *L = from->L;
  size_t n = 0;
  bool given = lua_getfield(L, from->arg, "limits") == LUA_TTABLE;
  for (size_t i = 0; given && i < sizeof resources / sizeof *resources; i++) {
    if (lua_getfield(L, -1, resources[i].name) != LUA_TNIL)
      req->limits[n++] = (lv_limit){resources[i].resource, read_limit(L)};
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  req->opts.limits = req->limits;
  req->opts.nlimits = n;
}

static void read_cpus(lv_opts *from, lv_spawn_request *req) {
  lua_State *L = from->L;
  if (lua_getfield(L, from->arg, "cpu_affinity") == LUA_TTABLE) {
    CPU_ZERO(&req->cpus);
    size_t n = lua_rawlen(L, -1);
    for (size_t i = 1; i <= n; i++) {
      lua_rawgeti(L, -1, (lua_Integer)i);
      CPU_SET((size_t)lua_tointeger(L, -1), &req->cpus);
      lua_pop(L, 1);
    }
    req->opts.cpus = &req->cpus;
  }
  lua_pop(L, 1);
}

static int read_umask(lv_opts *from) {
  lua_State *L = from->L;
  int mask = -1;
  int type = lua_getfield(L, from->arg, "umask");
  if (type == LUA_TNUMBER) mask = (int)lua_tointeger(L, -1);
  if (type == LUA_TSTRING) mask = (int)strtol(lua_tostring(L, -1), NULL, 8);
  lua_pop(L, 1);
  return mask;
}

static const int *read_int(lv_opts *from, const char *name, int *out) {
  lua_Integer n = lv_opts_integer(from, name, LUA_MININTEGER);
  *out = (int)n;
  return n == LUA_MININTEGER ? NULL : out;
}

static int read_signal(lv_opts *from, const char *name) {
  int signum = 0;
  if (lua_getfield(from->L, from->arg, name) != LUA_TNIL)
    signum = lv_check_signal(from->L, -1);
  lua_pop(from->L, 1);
  return signum;
}

/* -1: ours, 0: its own, else that number. */
static pid_t read_process_group(lv_opts *from) {
  lua_State *L = from->L;
  pid_t group = 0;
  int type = lua_getfield(L, from->arg, "process_group");
  if (type == LUA_TNUMBER) group = (pid_t)lua_tointeger(L, -1);
  if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)) group = -1;
  lua_pop(L, 1);
  return group;
}

void lv_read_spawn_opts(lua_State *L, int arg, lv_spawn_request *req) {
  lv_opts from = lv_opts_begin(L, arg);
  lv_spawn_opts *to = &req->opts;
  *to = (lv_spawn_opts)LV_SPAWN_OPTS_INIT;
  lv_read_program(&from, to);
  to->cwd = lv_opts_text(&from, "cwd");
  to->chroot = lv_opts_text(&from, "chroot");
  to->session = lv_opts_flag(&from, "session");
  to->pgroup = to->session ? -1 : read_process_group(&from);
  read_user(&from, req);
  read_group(&from, req);
  read_groups(&from, to);
  read_limits(&from, req);
  read_cpus(&from, req);
  to->umask = read_umask(&from);
  to->nice = read_int(&from, "nice", &req->nice);
  to->oom_score_adj = read_int(&from, "oom_score_adj", &req->oom_score_adj);
  to->no_new_privs = lv_opts_flag(&from, "no_new_privs");
  to->pdeathsig = read_signal(&from, "pdeathsig");
  to->keep_sigpipe = lv_opts_flag(&from, "_keep_sigpipe");
}
