/* bind/coroutine.h — The scripts' own coroutines may wait, and pcall lets a
 * cancellation pass: Lua's coroutine library, pcall and xpcall, patched. */
#ifndef LV_BIND_COROUTINE_H
#define LV_BIND_COROUTINE_H

#include "bind/task.h"

#include <lua.h>
#include <stdbool.h>

/* The extra space of a lua_State: the task that it runs for, and whether all
 * between the two can be suspended. */
lv_task *lv_slot_task(lua_State *L);
bool lv_slot_may_wait(lua_State *L);
void lv_slot_set(lua_State *L, lv_task *t, bool may_wait);
void lv_slot_end(lua_State *L); /* of the body of a task that has ended */

/* Replace functions of the global `coroutine`, and pcall and xpcall. */
void lv_patch_coroutine(lua_State *L);
void lv_patch_pcall(lua_State *L);

/* task.fairly(fn, ...) -> results */
int lv_l_fairly(lua_State *L);

/* task.catch(fn, ...) -> true, results | false, err */
int lv_l_catch(lua_State *L);

/* try(fn, ...) -> results | nil, err */
int lv_l_try(lua_State *L);

#endif
