/* bind/fair.c — Calling a function that may compute for long: now and then the
 * other tasks have a turn, and a cancellation is felt without a wait. Only what
 * a C function does in one call (string.rep, string.find) is not interrupted.
 * @module luvisor.core.task */
#include "bind/coroutine.h"
#include "bind/modules.h"

#include <lauxlib.h>

enum { INSTRUCTIONS = 10000 }; /* between two turns of others: about 0.1 ms */

static void on_count(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lv_task *t = lv_slot_task(L);
  if (t == NULL || !lv_slot_may_wait(L) || !lua_isyieldable(L)) return;
  if (lv_task_is_cancelled(t)) lv_raise_cancelled(L, t);
  if (L == t->co) lua_yield(L, 0); /* a generator's yield is not the task's */
}

static int done(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  lua_sethook(L, NULL, 0, 0);
  if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
  return lua_gettop(L);
}

/*** task.fairly(fn, ...) -> values
 * Call fn so that it cannot hold up other tasks for long, and can be cancelled
 * although it does not wait. */
int lv_l_fairly(lua_State *L) {
  luaL_checkany(L, 1);
  lv_task_check_waitable(L);
  lua_sethook(L, on_count, LUA_MASKCOUNT, INSTRUCTIONS);
  int status = lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, done);
  return done(L, status, 0);
}
