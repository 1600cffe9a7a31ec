/* bind/spawnopts.h — The options table of process.spawn, as C's. */
#ifndef LV_BIND_SPAWNOPTS_H
#define LV_BIND_SPAWNOPTS_H

#include "os/spawn.h"

#include <lua.h>

/* The options, and what they point to; the rest of that is kept by the value
 * that lv_read_spawn_opts pushes. */
typedef struct {
  lv_spawn_opts opts; /* all but fds and terminals, which stdio.c knows */
  uid_t uid;
  gid_t gid;
  int nice, oom_score_adj;
  lv_limit limits[RLIM_NLIMITS];
  cpu_set_t cpus;
} lv_spawn_request;

/* Read the table at `arg`, which lua/luvisor/process/options.lua has checked.
 * Pushes one value, which must stay on the stack until the spawn. Raises
 * UsageError, or SpawnError for what cannot be looked up; nothing is open then
 * or afterwards. */
void lv_read_spawn_opts(lua_State *L, int arg, lv_spawn_request *req);

/* Raise SpawnError: `op` failed with the code `rc`, the child of the options at
 * `arg` was not started. subject NULL: the value of the option that op stands
 * for ("chdir": cwd), or the program. Never returns. */
int lv_raise_spawn(lua_State *L, int arg, int rc, const char *op,
                   const char *subject);

#endif
