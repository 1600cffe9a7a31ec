/* bind/program.c — See program.h. The child's environment is known before the
 * child is: so its own PATH says where to look for its program. */
#include "bind/program.h"

#include "bind/error.h"

#include <assert.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char **read_argv(lv_opts *from) {
  lua_State *L = from->L;
  size_t n = lua_rawlen(L, from->arg);
  char **argv = lv_opts_keep_memory(from, (n + 1) * sizeof *argv);
  for (size_t i = 0; i < n; i++) {
    char what[32];
    lua_rawgeti(L, from->arg, (lua_Integer)i + 1);
    snprintf(what, sizeof what, "argument %d", (int)i + 1);
    argv[i] = lv_opts_keep_text(from, what);
  }
  argv[n] = NULL;
  return argv;
}

/* Is NAME of this "NAME=value" a key of the table on top? */
static bool is_overlaid(lua_State *L, const char *entry) {
  lua_pushlstring(L, entry, strcspn(entry, "="));
  bool found = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 1);
  return found;
}

static size_t count_environ(void) {
  size_t n = 0;
  while (environ && environ[n])
    n++;
  return n;
}

/* Stack: …, pairs */
static size_t count_pairs(lua_State *L) {
  size_t n = 0;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pop(L, 1);
    n++;
  }
  return n;
}

/* The child's own pid is known when there is a child: it writes it itself.
 * Stack: …, value → … */
static char *pid_pair(lv_opts *from, const char *name) {
  size_t length = strlen(name) + 1;
  char *pair = lv_opts_keep_memory(from, length + LV_PID_ROOM);
  memset(pair, 0, length + LV_PID_ROOM);
  snprintf(pair, length + 1, "%s=", name);
  lua_pop(from->L, 1);
  return pair;
}

/* Stack: …, name, value → …, name. NULL if there is to be no such variable. */
static char *read_pair(lv_opts *from) {
  lua_State *L = from->L;
  if (lua_type(L, -2) != LUA_TSTRING)
    lv_usage(L, "env: a name is a string, got %s", luaL_typename(L, -2));
  lua_pushvalue(L, -2);
  const char *name = lv_opts_keep_text(from, "env: a name");
  if (*name == '\0' || strchr(name, '='))
    lv_usage(L, "env: \"%s\" cannot be the name of a variable", name);
  if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    return NULL;
  }
  if (lua_isboolean(L, -1)) return pid_pair(from, name);
  char what[64];
  snprintf(what, sizeof what, "env: %.50s", name);
  const char *value = lv_opts_keep_text(from, what);
  lua_pushfstring(L, "%s=%s", name, value);
  return lv_opts_keep_text(from, what);
}

/* Stack: …, pairs */
static char **overlay(lv_opts *from, lv_spawn_opts *to, bool clear) {
  lua_State *L = from->L;
  size_t inherited = clear ? 0 : count_environ(), n = 0;
  size_t most = inherited + count_pairs(L);
  char **envp = lv_opts_keep_memory(from, (most + 1) * sizeof *envp);
  char **pids = lv_opts_keep_memory(from, (most + 1) * sizeof *pids);
  size_t npids = 0;
  for (size_t i = 0; i < inherited; i++)
    if (!is_overlaid(L, environ[i])) envp[n++] = environ[i];
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    bool is_pid = lua_isboolean(L, -1) && lua_toboolean(L, -1);
    envp[n] = read_pair(from);
    if (is_pid) pids[npids++] = strchr(envp[n], '=') + 1;
    if (envp[n] != NULL) n++;
  }
  envp[n] = pids[npids] = NULL;
  to->pids = pids;
  return envp;
}

static char **read_envp(lv_opts *from, lv_spawn_opts *to) {
  static char *nothing[] = {NULL};
  bool clear = lv_opts_flag(from, "clear_env");
  char **envp = clear ? nothing : environ;
  if (lua_getfield(from->L, from->arg, "env") == LUA_TTABLE)
    envp = overlay(from, to, clear);
  lua_pop(from->L, 1);
  return envp;
}

static const char *path_in(char *const *envp) {
  for (; envp && *envp; envp++)
    if (strncmp(*envp, "PATH=", 5) == 0) return *envp + 5;
  return "/bin:/usr/bin"; /* as execvp(3) */
}

/* An empty directory is the current one, as execvp(3) has it. */
static char **find_in_path(lv_opts *from, const char *name, const char *path) {
  lua_State *L = from->L;
  size_t dirs = 1, n = 0;
  for (const char *s = path; *s; s++)
    dirs += *s == ':';
  char **files = lv_opts_keep_memory(from, (dirs + 1) * sizeof *files);
  for (;; path++) {
    size_t size = strcspn(path, ":");
    lua_pushlstring(L, path, size);
    lua_pushfstring(L, "%s/%s", size ? lua_tostring(L, -1) : ".", name);
    lua_remove(L, -2);
    files[n++] = lv_opts_keep_text(from, "PATH");
    path += size;
    if (*path == '\0') break;
  }
  files[n] = NULL;
  return files;
}

/* A name without "/" is looked for in the child's PATH. */
static char **read_files(lv_opts *from, const lv_spawn_opts *to) {
  const char *name = lv_opts_text(from, "executable");
  if (name == NULL) name = to->argv[0];
  assert(name != NULL);
  if (*name != '\0' && strchr(name, '/') == NULL)
    return find_in_path(from, name, path_in(to->envp));
  char **one = lv_opts_keep_memory(from, 2 * sizeof *one);
  one[0] = (char *)name;
  one[1] = NULL;
  return one;
}

void lv_read_program(lv_opts *from, lv_spawn_opts *to) {
  char **argv = read_argv(from);
  to->argv = argv;
  to->envp = read_envp(from, to);
  to->files = read_files(from, to);
  const char *argv0 = lv_opts_text(from, "argv0");
  if (argv0) argv[0] = (char *)argv0;
}
