/* bind/spawnopts.h — The options table of process.spawn, as C's. */
#ifndef LV_BIND_SPAWNOPTS_H
#define LV_BIND_SPAWNOPTS_H

#include "os/cred.h"
#include "os/spawn.h"

#include <lua.h>

/* The options and the memory that they point to; what is not here is a
 * userdata on the Lua stack. */
typedef struct {
  lv_spawn_opts opts;
  uid_t uid;
  gid_t gid;
  gid_t groups[256];
  int nice, oom_score_adj, cgroup;
  lv_limit limits[RLIM_NLIMITS];
  cpu_set_t cpus;
} lv_spawn_request;

/* Read the table at `arg`. Pushes what must stay on the stack until the spawn.
 * Raises UsageError, or SpawnError for what cannot be looked up. Nothing is
 * owned but req->cgroup, which the caller closes. */
void lv_read_spawn_opts(lua_State *L, int arg, lv_spawn_request *req);

#endif
