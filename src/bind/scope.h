/* bind/scope.h — Where a cancellation reaches: a tree of scopes.
 *
 * A scope is entered by one task and may hold tasks spawned into it (then it is
 * a nursery: whoever entered it leaves only when they have ended). Cancelling
 * one cancels what is below, down to shields. It is level-triggered: each wait
 * inside raises, until the scope is left. Each task has a scope of its own,
 * by which it alone is cancelled. */
#ifndef LV_BIND_SCOPE_H
#define LV_BIND_SCOPE_H

#include "base/list.h"
#include "core/timer.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct lv_host lv_host;
typedef struct lv_task lv_task;
typedef struct lv_scope lv_scope;

struct lv_scope {
  lv_host *host;
  lv_scope *parent; /* NULL for the root, and before and after its life */
  lv_list children; /* of lv_scope.sibling */
  lv_list sibling;
  lv_task *task;  /* that entered it; NULL: nobody (root, exit) */
  uint64_t id;    /* never used again: an error names its scope by it */
  bool nursery;   /* task.spawn looks for these */
  bool quiet;     /* a child's error is printed and cancels nobody */
  bool shield;    /* what happens above is not felt */
  bool live;      /* entered and not left */
  bool called;    /* itself cancelled */
  bool effective; /* it or, but for shields, one above it is */
  bool expired;   /* cancelled by its deadline */
  bool adrift;    /* the outermost that a suspended generator is in */
  bool curtailed; /* a task of it was cancelled by it or from above */
  bool orphaned;  /* nobody knows it but its tasks: anchored for them */
  bool lost;      /* an error of it found no memory to be kept in */
  lv_timer deadline;
  size_t ntasks;   /* spawned into it and not ended */
  lv_task *joiner; /* parked until there are none */
  int errors;      /* registry reference of the list of errors, or LUA_NOREF */
  int reason;      /* … of the reason given to cancel */
  int anchor;      /* kept for when it is orphaned; 0: none yet */
};

void lv_scope_init(lv_scope *s, lv_host *host, bool shield);
void lv_scope_fini(lv_scope *s); /* drops its references to Lua values */
/* Put it into the tree, below parent (NULL: a root). */
void lv_scope_enter(lv_scope *s, lv_scope *parent, lv_task *task);
void lv_scope_leave(lv_scope *s);  /* out of the tree; twice is harmless */
void lv_scope_cancel(lv_scope *s); /* never waits; twice is harmless */
uint64_t lv_scope_next_id(void);   /* one that no scope has or will have */
bool lv_scope_is_above(const lv_scope *s, uint64_t id); /* s itself counts */

/* A generator that yields out of scopes takes them along: what the task has
 * entered since `base` is no more around it, but stays below base in the tree.
 * The innermost of them, NULL if there is none. */
lv_scope *lv_scope_detach(lv_task *t, lv_scope *base);
/* It goes on in task t: they are around that one now. */
void lv_scope_attach(lv_scope *innermost, lv_task *t);
/* It will never go on: what runs in them is cancelled, and they are left. */
void lv_scope_abandon(lv_scope *innermost);

/* Add the error on top of L, popped, to what the scope raises when it is left,
 * and cancel the scope. The same error twice is one. Raises nothing itself. */
void lv_scope_fail(lua_State *L, lv_scope *s);
/* Print those that were added; their number. */
int lv_scope_print_errors(lv_scope *s, const char *who);

/* The last task of an orphaned one has ended. */
void lv_scope_let_go(lua_State *L, const lv_scope *s);

/* luvisor.core.scope: new, which makes scopes for Lua. */
int lv_open_scope(lua_State *L);
lv_scope *lv_check_scope(lua_State *L, int arg); /* or raises UsageError */

#endif
