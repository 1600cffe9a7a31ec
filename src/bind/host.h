/* bind/host.h — One Lua state on one runtime: what a program is made of. */
#ifndef LV_BIND_HOST_H
#define LV_BIND_HOST_H

#include "base/list.h"
#include "bind/alloc.h"
#include "bind/scope.h"
#include "bind/stress.h"
#include "core/runtime.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

enum { LV_NO_CODE = -1 };

struct lv_host {
  lua_State *L; /* the main thread; no task runs on it */
  lv_alloc alloc;
  lv_rt rt;
  lv_list ready; /* lv_task.link, in the order of their waking */
  lv_list tasks; /* lv_task.all: those not ended */
  size_t ntasks;
  int nidle; /* coroutines of none, for the next tasks: idle.c */
  unsigned last_id;
  lv_scope root; /* the script and what it spawns */
  lv_scope tail; /* cleanup after the script: children stopped, pipes flushed */
  lv_scope background; /* task.detached: cancelled when the root has ended */
  lv_scope lasting;    /* task.lasting: when the cleanup has, too */
  lv_sub sub_ending[3], sub_quit; /* fn NULL: not subscribed */
  int user_waits; /* the script's own subscriptions: something may come */
  int user_signals[LV_NSIG]; /* … by signal */
  int exit_code;    /* of os.exit or a signal; LV_NO_CODE: of how it ended */
  int errors;       /* that nobody caught, printed so far */
  lv_stress stress; /* with LUVISOR_GC */
  uint64_t polled;  /* ns, uv_hrtime's clock: when the loop last turned */
  bool want_dump;   /* QUIT came */
  bool deadlocked;
};

/* A host with all of Lua's libraries, ours preloaded, patched pcall, coroutine,
 * print and os.exit. 0 or -errno. */
int lv_host_init(lv_host *host, int argc, char **argv);

/* Run the function on top of host->L (popped) as the root task, then the
 * cleanup; the program's exit code. */
int lv_host_run(lv_host *host);

void lv_host_fini(lv_host *host);

lv_host *lv_host_of(lua_State *L);

/* io.popen and os.execute raise where orphans are reaped (core/strangers.h). */
void lv_patch_shell(lua_State *L);

/* For who makes what must be closed: raises Closed in the finalizers that run
 * when all has ended, as nobody would close it any more. */
void lv_host_check_open(lua_State *L);

/* Make the program end with this code: cancels the root. */
void lv_host_exit(lv_host *host, int code);

/* The script listens to the signal, or ignores it, or no more: is it to end us?
 */
void lv_host_review_signal(lv_host *host, int signum);

/* Add at_exit and set_exit_code to the table on top of L. */
void lv_add_host_functions(lua_State *L);

/* Print the error on top of L, popped: of a task that nobody joins. */
void lv_host_warn_error(lua_State *L, const char *who);

#endif
