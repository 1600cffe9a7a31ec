/* bind/fair.c — Calling a function that may compute for long: now and then the
 * other tasks have a turn, and a cancellation is felt without a wait. Where it
 * cannot be suspended (below table.sort, string.gsub) it fails after a while.
 * Only what a C function does by itself (string.rep) is not interrupted.
 * @module luvisor.core.task */
#include "bind/coroutine.h"
#include "bind/host.h"
#include "bind/modules.h"

#include <lauxlib.h>
#include <uv.h>

enum {
  INSTRUCTIONS = 10000, /* between two turns of others: about 0.1 ms */
  MOST_LOOKS = 5000     /* at what cannot be interrupted: about 0.5 s */
};

/* For too long in one turn of the loop, whose clock stands still meanwhile. */
static bool is_overdue(lv_task *t) {
  uint64_t turn = uv_now(&t->host->rt.loop);
  if (t->turn != turn) t->looks = 0;
  t->turn = turn;
  return ++t->looks > MOST_LOOKS;
}

static void on_count(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lv_task *t = lv_slot_task(L);
  if (t == NULL) return;
  if (lv_slot_may_wait(L) && lua_isyieldable(L)) {
    if (lv_task_is_cancelled(t)) lv_raise_cancelled(L, t);
    lv_pause(L, t, NULL); /* from a generator, too: see coroutine.c */
  } else if (is_overdue(t)) {
    luaL_error(L, "it computes for long inside a function that nothing can "
                  "interrupt, such as table.sort or string.gsub");
  }
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
