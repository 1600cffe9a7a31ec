/* bind/spawnopts.c — See spawnopts.h. The types of the options have been
 * checked by lua/luvisor/process/options.lua; here is what depends on values.
 */
#include "bind/spawnopts.h"

#include "bind/error.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

/* ---- argv, environment, PATH ---- */

static const char *check_text(lua_State *L, int idx, const char *what) {
  size_t n;
  const char *s = lua_tolstring(L, idx, &n);
  if (s == NULL)
    lv_usage(L, "%s must be a string, got %s", what, luaL_typename(L, idx));
  if (strlen(s) != n) lv_usage(L, "%s holds a zero byte", what);
  return s;
}

/* The strings stay alive in a table pushed before the array. */
static char **push_array(lua_State *L, size_t n) {
  lua_createtable(L, (int)n, 0);
  return lua_newuserdatauv(L, (n + 1) * sizeof(char *), 0);
}

/* Keep the string on top in the table below the array at `array`. */
static char *keep(lua_State *L, int array, size_t i) {
  char *s = (char *)lua_tostring(L, -1);
  lua_rawseti(L, array - 1, (lua_Integer)i + 1);
  return s;
}

static char **push_argv(lua_State *L, int arg) {
  size_t n = lua_rawlen(L, arg);
  char **argv = push_array(L, n);
  int array = lua_gettop(L);
  for (size_t i = 0; i < n; i++) {
    char what[32];
    lua_rawgeti(L, arg, (lua_Integer)i + 1);
    snprintf(what, sizeof what, "argument %d", (int)i + 1);
    check_text(L, -1, what);
    argv[i] = keep(L, array, i);
  }
  argv[n] = NULL;
  if (lua_getfield(L, arg, "argv0") != LUA_TNIL && n > 0) {
    check_text(L, -1, "argv0");
    argv[0] = (char *)lua_tostring(L, -1);
    lua_rawseti(L, array - 1, 1);
  } else {
    lua_pop(L, 1);
  }
  return argv;
}

/* Is NAME of this "NAME=value" a key of the table? */
static bool is_overlaid(lua_State *L, int table, const char *entry) {
  const char *eq = strchr(entry, '=');
  lua_pushlstring(L, entry, eq ? (size_t)(eq - entry) : strlen(entry));
  bool found = lua_rawget(L, table) != LUA_TNIL;
  lua_pop(L, 1);
  return found;
}

static void check_name(lua_State *L, int idx) {
  if (lua_type(L, idx) != LUA_TSTRING)
    lv_usage(L, "env: a name is a string, got %s", luaL_typename(L, idx));
  const char *name = check_text(L, idx, "env: a name");
  if (*name == '\0' || strchr(name, '='))
    lv_usage(L, "env: \"%s\" cannot be the name of a variable", name);
}

static size_t count_environ(void) {
  size_t n = 0;
  while (environ && environ[n]) n++;
  return n;
}

static size_t count_pairs(lua_State *L, int table) {
  size_t n = 0;
  lua_pushnil(L);
  while (lua_next(L, table)) {
    lua_pop(L, 1);
    n++;
  }
  return n;
}

/* Stack: the env table on top → array, kept strings below it */
static char **push_overlaid(lua_State *L, bool clear) {
  int table = lua_gettop(L);
  size_t inherited = clear ? 0 : count_environ(), n = 0;
  char **envp = push_array(L, inherited + count_pairs(L, table));
  int array = lua_gettop(L);
  for (size_t i = 0; i < inherited; i++)
    if (!is_overlaid(L, table, environ[i])) envp[n++] = environ[i];
  lua_pushnil(L);
  while (lua_next(L, table)) {
    check_name(L, -2);
    if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
      lua_pop(L, 1);
      continue;
    }
    const char *name = lua_tostring(L, -2);
    lua_pushfstring(L, "%s=%s", name, check_text(L, -1, "env: a value"));
    envp[n] = keep(L, array, n);
    n++;
    lua_pop(L, 1);
  }
  envp[n] = NULL;
  return envp;
}

static char **push_envp(lua_State *L, int arg) {
  lua_getfield(L, arg, "clear_env");
  bool clear = lua_toboolean(L, -1);
  if (lua_getfield(L, arg, "env") == LUA_TTABLE) return push_overlaid(L, clear);
  if (!clear) return environ;
  lua_newtable(L);
  return push_overlaid(L, true);
}

static const char *path_in(char *const *envp) {
  for (; envp && *envp; envp++)
    if (strncmp(*envp, "PATH=", 5) == 0) return *envp + 5;
  return "/bin:/usr/bin"; /* as execvp(3) */
}

/* A name without "/" is looked for in the child's PATH. */
static char **push_files(lua_State *L, const char *name, char *const *envp) {
  if (strchr(name, '/') || *name == '\0') {
    char **one = lua_newuserdatauv(L, 2 * sizeof *one, 0);
    one[0] = (char *)name;
    one[1] = NULL;
    return one;
  }
  const char *path = path_in(envp);
  size_t dirs = 1, n = 0;
  for (const char *s = path; *s; s++) dirs += *s == ':';
  char **files = push_array(L, dirs);
  int array = lua_gettop(L);
  for (const char *dir = path;; dir++) {
    size_t size = strcspn(dir, ":");
    lua_pushlstring(L, dir, size);
    lua_pushfstring(L, "%s/%s", size ? lua_tostring(L, -1) : ".", name);
    lua_remove(L, -2);
    files[n] = keep(L, array, n);
    n++;
    dir += size;
    if (*dir == '\0') break;
  }
  files[n] = NULL;
  return files;
}

/* ---- who it is, what it may ---- */

/* A SpawnError before the spawn: the option is its op. */
static void raise_spawn(lua_State *L, int rc, const char *op,
                        const char *subject) {
  lv_push_error(L, "SpawnError", "spawn: %s \"%s\": %s (%s)", op, subject,
                rc == -ENOENT ? "there is none" : strerror(-rc),
                lv_errno_name(rc));
  lua_pushstring(L, lv_errno_name(rc));
  lua_setfield(L, -2, "code");
  lua_pushstring(L, op);
  lua_setfield(L, -2, "op");
  lua_pushstring(L, subject);
  lua_setfield(L, -2, "subject");
  lua_error(L);
}

static void read_user(lua_State *L, int arg, lv_spawn_request *req) {
  if (lua_getfield(L, arg, "user") != LUA_TNIL) {
    const char *name = check_text(L, -1, "user");
    lv_cred cred;
    int rc = lv_cred_user(name, &cred);
    if (rc < 0) raise_spawn(L, rc, "user", name);
    req->uid = cred.uid;
    req->gid = cred.gid;
    size_t most = sizeof req->groups / sizeof *req->groups;
    req->opts.ngroups = cred.ngroups < most ? cred.ngroups : most;
    if (cred.ngroups > 0)
      memcpy(req->groups, cred.groups, req->opts.ngroups * sizeof(gid_t));
    lv_cred_free(&cred);
    req->opts.uid = &req->uid;
    req->opts.gid = &req->gid;
    req->opts.groups = req->groups;
  }
  if (lua_getfield(L, arg, "group") != LUA_TNIL) {
    const char *name = check_text(L, -1, "group");
    int rc = lv_cred_group(name, &req->gid);
    if (rc < 0) raise_spawn(L, rc, "group", name);
    req->opts.gid = &req->gid;
  }
  lua_pop(L, 2);
}

static void read_groups(lua_State *L, int arg, lv_spawn_request *req) {
  if (lua_getfield(L, arg, "groups") == LUA_TTABLE) {
    size_t n = lua_rawlen(L, -1);
    if (n > sizeof req->groups / sizeof *req->groups)
      lv_usage(L, "groups: too many");
    for (size_t i = 0; i < n; i++) {
      lua_rawgeti(L, -1, (lua_Integer)i + 1);
      const char *name = check_text(L, -1, "groups: a group");
      int rc = lv_cred_group(name, &req->groups[i]);
      if (rc < 0) raise_spawn(L, rc, "groups", name);
      lua_pop(L, 1);
    }
    req->opts.groups = req->groups;
    req->opts.ngroups = n;
  }
  lua_pop(L, 1);
}

static const struct {
  const char *name;
  int resource;
} resources[] = {
    {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},
    {"cpu", RLIMIT_CPU},         {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},     {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},       {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},     {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},
    {"sigpending", RLIMIT_SIGPENDING}, {"stack", RLIMIT_STACK},
};

static int find_resource(lua_State *L, const char *name) {
  for (size_t i = 0; i < sizeof resources / sizeof *resources; i++)
    if (strcmp(resources[i].name, name) == 0) return resources[i].resource;
  return lv_usage(L, "limits: there is no limit \"%s\" (as core cpu data fsize "
                     "locks memlock msgqueue nice nofile nproc rss rtprio "
                     "rttime sigpending stack)", name);
}

static rlim_t read_limit(lua_State *L, int idx, const char *name) {
  if (lua_type(L, idx) == LUA_TSTRING &&
      strcmp(lua_tostring(L, idx), "unlimited") == 0)
    return RLIM_INFINITY;
  int ok;
  lua_Integer n = lua_tointegerx(L, idx, &ok);
  if (!ok || n < 0)
    lv_usage(L, "limits: %s is an integer, \"unlimited\" or {soft, hard}",
             name);
  return (rlim_t)n;
}

static void read_limits(lua_State *L, int arg, lv_spawn_request *req) {
  if (lua_getfield(L, arg, "limits") == LUA_TTABLE) {
    lua_pushnil(L);
    while (lua_next(L, -2)) {
      if (lua_type(L, -2) != LUA_TSTRING)
        lv_usage(L, "limits: a key is a name, got %s", luaL_typename(L, -2));
      const char *name = lua_tostring(L, -2);
      lv_limit *limit = &req->limits[req->opts.nlimits++];
      limit->resource = find_resource(L, name);
      if (lua_istable(L, -1)) {
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        limit->limit.rlim_cur = read_limit(L, -2, name);
        limit->limit.rlim_max = read_limit(L, -1, name);
        lua_pop(L, 2);
      } else {
        limit->limit.rlim_cur = limit->limit.rlim_max =
            read_limit(L, -1, name);
      }
      lua_pop(L, 1);
    }
    req->opts.limits = req->limits;
  }
  lua_pop(L, 1);
}

static void read_cpus(lua_State *L, int arg, lv_spawn_request *req) {
  if (lua_getfield(L, arg, "cpu_affinity") == LUA_TTABLE) {
    CPU_ZERO(&req->cpus);
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= n; i++) {
      lua_rawgeti(L, -1, i);
      lua_Integer cpu = lv_check_size(L, -1, "cpu_affinity: a processor");
      if (cpu < 0 || cpu >= CPU_SETSIZE)
        lv_usage(L, "cpu_affinity: there is no processor %I", cpu);
      CPU_SET((size_t)cpu, &req->cpus);
      lua_pop(L, 1);
    }
    req->opts.cpus = &req->cpus;
  }
  lua_pop(L, 1);
}

static int read_umask(lua_State *L, int arg) {
  int type = lua_getfield(L, arg, "umask");
  long mask = -1;
  if (type == LUA_TNUMBER) mask = (long)lua_tointeger(L, -1);
  if (type == LUA_TSTRING) {
    char *rest;
    mask = strtol(lua_tostring(L, -1), &rest, 8);
    if (*rest != '\0') mask = -2;
  }
  if (type != LUA_TNIL && (mask < 0 || mask > 0777))
    lv_usage(L, "umask: an integer or octal digits as \"022\", got %s",
             luaL_tolstring(L, -1, NULL));
  lua_pop(L, 1);
  return (int)mask;
}

static const int *read_int(lua_State *L, int arg, const char *name, int *out) {
  bool given = lua_getfield(L, arg, name) != LUA_TNIL;
  if (given) *out = (int)lv_check_size(L, -1, name);
  lua_pop(L, 1);
  return given ? out : NULL;
}

static pid_t read_group(lua_State *L, int arg) {
  pid_t group = 0;
  switch (lua_getfield(L, arg, "process_group")) {
  case LUA_TBOOLEAN: group = lua_toboolean(L, -1) ? 0 : -1; break;
  case LUA_TNUMBER: group = (pid_t)lua_tointeger(L, -1); break;
  default: break;
  }
  lua_pop(L, 1);
  return group;
}

static bool read_flag(lua_State *L, int arg, const char *name) {
  lua_getfield(L, arg, name);
  bool on = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return on;
}

/* A string of the table, which keeps it alive. */
static const char *read_path(lua_State *L, int arg, const char *name) {
  const char *path = NULL;
  if (lua_getfield(L, arg, name) != LUA_TNIL) path = check_text(L, -1, name);
  lua_pop(L, 1);
  return path;
}

static void read_rights(lua_State *L, int arg, lv_spawn_request *req) {
  lv_spawn_opts *o = &req->opts;
  read_user(L, arg, req);
  read_groups(L, arg, req);
  read_limits(L, arg, req);
  read_cpus(L, arg, req);
  o->umask = read_umask(L, arg);
  o->nice = read_int(L, arg, "nice", &req->nice);
  o->oom_score_adj = read_int(L, arg, "oom_score_adj", &req->oom_score_adj);
  o->no_new_privs = read_flag(L, arg, "no_new_privs");
  if (lua_getfield(L, arg, "pdeathsig") != LUA_TNIL)
    o->pdeathsig = lv_check_signal(L, -1);
  lua_pop(L, 1);
}

void lv_read_spawn_opts(lua_State *L, int arg, lv_spawn_request *req) {
  luaL_checkstack(L, 20, NULL);
  lv_spawn_opts *o = &req->opts;
  *o = (lv_spawn_opts)LV_SPAWN_OPTS_INIT;
  req->cgroup = -1;
  o->argv = push_argv(L, arg);
  o->envp = push_envp(L, arg);
  const char *executable = read_path(L, arg, "executable");
  lua_rawgeti(L, arg, 1);
  const char *program = executable ? executable : check_text(L, -1, "argument 1");
  o->files = push_files(L, program, o->envp);
  o->cwd = read_path(L, arg, "cwd");
  o->chroot = read_path(L, arg, "chroot");
  o->session = read_flag(L, arg, "session");
  o->pgroup = o->session ? -1 : read_group(L, arg);
  read_rights(L, arg, req);
  const char *cgroup = read_path(L, arg, "cgroup");
  if (cgroup == NULL) return;
  req->cgroup = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (req->cgroup < 0) raise_spawn(L, -errno, "cgroup", cgroup);
  o->cgroup = req->cgroup;
}
