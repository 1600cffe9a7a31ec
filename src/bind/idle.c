/* bind/idle.c — See idle.h. */
#include "bind/idle.h"

enum { MOST = 32 };

/* Its address is the registry's key for the list of them, which has room for
 * all from the beginning. */
static const char IDLE = 0;

void lv_make_idle(lua_State *L) {
  lua_createtable(L, MOST, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &IDLE);
}

/* A new one inherits the hook of whoever makes it: of a debugger, say. */
lua_State *lv_idle_take(lua_State *L, lv_host *host) {
  if (host->nidle == 0 || lua_gethookmask(L) != 0) return lua_newthread(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &IDLE);
  lua_rawgeti(L, -1, host->nidle);
  lua_pushnil(L);
  lua_rawseti(L, -3, host->nidle--);
  lua_remove(L, -2);
  return lua_tothread(L, -1);
}

/* What failed keeps its stack, for its error; one that the script has seen, by
 * coroutine.running(), may be a key of its tables. */
static bool can_serve_again(const lv_task *t) {
  return !t->failed && !t->is_seen && t->host->nidle < MOST &&
         lua_status(t->co) == LUA_OK && lua_gettop(t->co) <= 1 &&
         lua_gethookmask(t->co) == 0;
}

void lv_idle_keep(lv_task *t) {
  if (!can_serve_again(t)) return;
  lua_State *L = t->host->L;
  lv_task_push(L, t);
  t->has_result = lua_gettop(t->co) == 1;
  if (t->has_result) {
    lua_xmove(t->co, L, 1);
    lua_setiuservalue(L, -2, LV_TASK_RESULT);
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &IDLE);
  lua_getiuservalue(L, -2, LV_TASK_THREAD);
  lua_rawseti(L, -2, ++t->host->nidle);
  lua_pop(L, 1);
  lua_pushnil(L);
  lua_setiuservalue(L, -2, LV_TASK_THREAD);
  lua_pop(L, 1);
  t->co = NULL;
}
