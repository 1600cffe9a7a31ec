/* tests/fault/memory.c — What Lua allocates, counted and failed.
 *
 * Refused, Lua collects all it can and asks again, for the same: that is
 * refused, too. A block that shrinks must not be refused. */
#include "fault.h"

#include <stddef.h>

static struct {
  lua_Alloc alloc;
  void *arg;
  void *block; /* what was refused, and will be asked for again */
  size_t old_size, size;
  bool refused;
} watched;

static bool is_asked_again(void *block, size_t old_size, size_t size) {
  return watched.refused && block == watched.block &&
         old_size == watched.old_size && size == watched.size;
}

static bool is_refused(void *block, size_t old_size, size_t size) {
  if (is_asked_again(block, old_size, size)) {
    watched.refused = false;
    return true;
  }
  watched.refused = lv_fault_due(LV_CALL_lua_alloc, LV_ANY) != 0;
  watched.block = block;
  watched.old_size = old_size;
  watched.size = size;
  return watched.refused;
}

/* Without a block, old_size says what the new one is for. */
static void *allocate(void *arg, void *block, size_t old_size, size_t size) {
  (void)arg;
  bool grows = block == NULL ? size > 0 : size > old_size;
  if (grows && is_refused(block, old_size, size)) return NULL;
  lv_fault_in_lua = true;
  void *new = watched.alloc(watched.arg, block, old_size, size);
  lv_fault_in_lua = false;
  return new;
}

void lv_fault_watch_lua(lua_State *L) {
  watched.alloc = lua_getallocf(L, &watched.arg);
  lua_setallocf(L, allocate, NULL);
}
