/* bind/idle.h — Coroutines whose task has ended serve the next.
 *
 * A coroutine is most of what a task is made of: to make, collect and free one
 * for each costs more than the rest of a short task. */
#ifndef LV_BIND_IDLE_H
#define LV_BIND_IDLE_H

#include "bind/host.h"
#include "bind/task.h"

#include <lua.h>

void lv_make_idle(lua_State *L); /* before the first spawn */

/* Push a coroutine with an empty stack. Raises if memory runs out. */
lua_State *lv_idle_take(lua_State *L, lv_host *host);

/* The task has ended: keep its coroutine, if nothing can tell that it goes on
 * to be another's. Its result is moved into its object then, and t->co is NULL.
 * Needs no memory. */
void lv_idle_keep(lv_task *t);

#endif
