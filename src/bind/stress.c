/* bind/stress.c — See stress.h.
 *
 * An allocation that fails makes Lua collect everything and ask again. Such
 * collections call no finalizers: for these the collector never pauses. */
#include "bind/stress.h"

static void *allocate(void *arg, void *ptr, size_t old_size, size_t size) {
  lv_stress *s = arg;
  bool grows = size > 0 && (ptr == NULL || size > old_size);
  if (grows && !s->refused && ++s->count % s->every == 0) {
    s->refused = true;
    return NULL;
  }
  if (grows) s->refused = false;
  return s->alloc(s->arg, ptr, old_size, size);
}

void lv_stress_start(lua_State *L, lv_stress *s, unsigned every) {
  *s = (lv_stress){.every = every};
  s->alloc = lua_getallocf(L, &s->arg);
  lua_setallocf(L, allocate, s);
  lua_gc(L, LUA_GCINC, 0, 1000, 1); /* pause 0 is "as it is" here, so: */
  lua_gc(L, LUA_GCSETPAUSE, 0);
}
