/* bind/task.h — Tasks: Lua coroutines that wait for C operations.
 *
 * The contract of waiting (docs/tour.md tells it at length):
 *   lv_task_check   may raise: not in a task, cancelled; owns nothing yet
 *   …start the operation, whose callbacks call lv_wake…
 *   return lv_park  the task sleeps; its continuation makes the results
 * A uv callback never touches a lua_State; it stores its result and wakes. */
#ifndef LV_BIND_TASK_H
#define LV_BIND_TASK_H

#include "base/list.h"
#include "bind/scope.h"
#include "core/timer.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { LV_READY, LV_RUNNING, LV_PARKED, LV_DONE } lv_task_state;

/* What an operation answers when it is asked to abort. */
typedef enum {
  LV_STOPPED, /* it will not wake the task any more */
  LV_PENDING  /* its own callback still comes, and wakes */
} lv_abort;
typedef lv_abort (*lv_abort_fn)(lv_task *t, void *op);

struct lv_task {
  lv_host *host;
  lua_State *co; /* NULL: it has ended, and its coroutine is another's */
  lv_list link;  /* in the ready list, or in what it waits for */
  lv_list all;   /* in host->tasks */
  lv_scope own;  /* cancelled by t:cancel() */
  lv_scope *nursery;
  lv_scope *scope; /* the innermost it is in */
  lv_task_state state;
  bool failed;       /* its body ended by an error */
  bool has_result;   /* … with a value, kept in the object as co is NULL */
  bool is_seen;      /* the script has its coroutine as a value */
  int status;        /* of the wake: 0 or -errno, -ECANCELED */
  const char *why;   /* what it waits for, in a word or two */
  void *op;          /* the operation's own state, if it has any */
  lv_abort_fn abort; /* NULL: cannot be aborted, or was asked already */
  lv_timer timer;    /* for sleep, and for an operation's time limit */
  lv_list joiners;
  lua_KContext kctx; /* for the continuation of the next park */
  int nargs;         /* for the next resume */
  unsigned id;
  int anchor;        /* of its object */
  uint64_t once;     /* names its one-shot cancellations; 0: none yet */
  bool once_pending; /* that has not been raised */
  lua_State *at;     /* where it waits: co, or a generator that co resumed */
  uint64_t turn;     /* of the loop, in which fair.c … */
  unsigned looks;    /* … could not interrupt it so many times */
  uint64_t since;    /* ns, when lv_task_is_greedy first looked; 0: not yet */
};

/* The metatable's name; its key in the registry, which is found faster; and the
 * object's user values. */
#define LV_TASK "luvisor.Task"
extern const char lv_task_class;
enum {
  LV_TASK_THREAD = 1,
  LV_TASK_NAMER, /* its name, or its function, which has one */
  LV_TASK_WOKEN_WITH,
  LV_TASK_RESULT = LV_TASK_WOKEN_WITH, /* when it has ended */
  LV_TASK_REASON,                      /* of its last one-shot cancellation */
  LV_TASK_VALUES = LV_TASK_REASON
};

/* The running task, or NULL: L is no task's (a finalizer, the main thread). */
lv_task *lv_task_of(lua_State *L);

/* The same, for who is about to wait: raises UsageError where nothing can wait,
 * Cancelled in a cancelled scope. */
lv_task *lv_task_check(lua_State *L);

/* Like it, but lets a cancelled task wait (for what cannot be aborted). */
lv_task *lv_task_check_waitable(lua_State *L);

/* Suspend the task; return what this returns. k runs after the wake, with the
 * task's kctx (then zeroed) as its context; t->status says what woke it. abort
 * NULL: cancelling does not end this wait. */
int lv_park(lua_State *L, lv_task *t, const char *why, void *op,
            lv_abort_fn abort, lua_KFunction k);

/* The same for who waits for nothing: it goes on in the next pass. */
int lv_pause(lua_State *L, lv_task *t, lua_KFunction k);

/* Has the running task gone on for a millisecond since it was first asked in
 * this turn, and can be paused? Asked by who answers from a buffer or a pipe
 * that is never full, or others would have to wait for ever. It reads the clock:
 * ask at each LV_LOOK_EACHth answer. */
enum { LV_LOOK_EACH = 64 };
bool lv_task_is_greedy(lua_State *L);

/* Let it go on, in the next pass over the ready tasks. */
void lv_wake(lv_task *t, int status);

/* Unlink a task from the list it waits in: the abort of most. */
lv_abort lv_abort_unlink(lv_task *t, void *op);
void lv_wake_all(lv_list *waiting, int status); /* tasks by link */

/* If the task may be cancelled where it stands, do. */
void lv_task_interrupt(lv_task *t);

/* The edge-triggered cancellation of asyncio: Cancelled is raised once, where t
 * waits or at its next wait outside shields; later waits are as before. What is
 * on top of L, popped, becomes the error's reason. */
void lv_task_cancel_once(lua_State *L, lv_task *t);

/* Is that to be raised by the next wait of t? */
bool lv_task_is_due_once(const lv_task *t);

/* Is t, which has not ended, in a shield of its own? */
bool lv_task_is_shielded(const lv_task *t);

/* Would a wait of t that begins now raise Cancelled? */
bool lv_task_is_cancelled(const lv_task *t);

/* Is the value the cancellation of a scope around the running task, its
 * one-shot cancellation, or os.exit's? Then it passes through whatever catches
 * errors. */
bool lv_task_is_leaving(lua_State *L, int idx);
/* The same without the one-shot one. */
bool lv_task_is_leaving_scope(lua_State *L, int idx);

/* Raise the cancellation of the outermost cancelled scope around t, or else its
 * pending one-shot cancellation. */
int lv_raise_cancelled(lua_State *L, lv_task *t);

/* Make a task of the function and nargs arguments on top of L, which are
 * popped; leave its object on L. Raises if memory runs out. */
lv_task *lv_task_spawn(lua_State *L, lv_scope *nursery, int nargs);

void lv_task_push(lua_State *L, const lv_task *t); /* its object; not ended */

/* Keep the value on top of L, which stays there, from being collected. Returns
 * what `lv_unanchor` takes, never 0. Raises if memory runs out. */
int lv_anchor(lua_State *L);
void lv_anchor_other(lua_State *L, int ref); /* in its place; needs no memory */
void lv_unanchor(lua_State *L, int ref);

/* One pass over the tasks that are ready now. */
void lv_run_ready(lv_host *host);

/* Push a text with every task, what it waits for and where. */
void lv_push_dump(lua_State *L, lv_host *host);

void lv_make_anchors(lua_State *L); /* both before the first spawn */
void lv_make_task_class(lua_State *L);
int lv_open_task(lua_State *L); /* luvisor.core.task */

/* Message handler: notes where an error was raised: in an error object as its
 * traceback, of any other value in the registry under these two names. */
int lv_traceback(lua_State *L);
#define LV_LAST_ERROR     "luvisor.last_error"
#define LV_LAST_TRACEBACK "luvisor.last_traceback"

#endif
