/* bind/stress.c — See stress.h.
 *
 * An allocation that fails makes Lua collect everything and ask again. Such
 * collections call no finalizers: for these the collector never pauses. */
#include "bind/stress.h"

/* Only where a value is made: lauxlib's buffers take a refusal for the last
 * word. Lua says in old_size what a new block is for. */
static void *allocate(void *arg, void *ptr, size_t old_size, size_t size) {
  lv_stress *s = arg;
  if (ptr == NULL && size > 0 && old_size >= LUA_TSTRING) {
    s->refused = !s->refused && ++s->count % s->every == 0;
    if (s->refused) return NULL;
  }
  return s->alloc(s->arg, ptr, old_size, size);
}

void lv_stress_start(lua_State *L, lv_stress *s, unsigned every) {
  *s = (lv_stress){.every = every};
  s->alloc = lua_getallocf(L, &s->arg);
  lua_setallocf(L, allocate, s);
  lua_gc(L, LUA_GCINC, 0, 1000, 1); /* pause 0 is "as it is" here, so: */
  lua_gc(L, LUA_GCSETPAUSE, 0);
}
