/* bind/alloc.c — See alloc.h.
 *
 * How many bytes Lua keeps before a long string's text is learnt from one, not
 * assumed: should a Lua allocate strings otherwise, header is 0 and nobody
 * offers blocks. When Lua then copies the text to where it is already, memcpy
 * gets the same address twice, which glibc and the sanitizers allow. */
#include "bind/alloc.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE = 1000 };

/* For no block, old_size is a type. */
static bool take(lv_alloc *a, size_t old_size, size_t size) {
  if (size > old_size && size - old_size > a->left) return false;
  a->left += old_size - size; /* wraps around to what is right */
  return true;
}

static void *allocate(void *ud, void *ptr, size_t old_size, size_t size) {
  lv_alloc *a = ud;
  if (a->is_limited && !take(a, ptr ? old_size : 0, size)) return NULL;
  if (size == 0) {
    free(ptr);
    return NULL;
  }
  if (ptr == NULL && a->offered && size == a->size) {
    void *block = a->offered;
    a->offered = NULL;
    return block;
  }
  void *block = realloc(ptr, size);
  if (a->learning && ptr == NULL && size > SAMPLE) {
    a->offered = block;
    a->size = size;
    a->learning = false;
  }
  return block;
}

/* As lauxlib's: an error outside any protected call is a bug of ours. */
static int on_panic(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  fprintf(stderr, "luvisor: unprotected error in Lua: %s\n",
          message ? message : "not a string");
  return 0;
}

/* Runs protected. */
static int learn(lua_State *L) {
  static const char sample[SAMPLE];
  lv_alloc *a = lua_touserdata(L, 1);
  a->learning = true;
  const char *text = lua_pushlstring(L, sample, SAMPLE);
  const char *block = a->offered;
  a->offered = NULL;
  if (a->learning || block == NULL || text < block) return 0;
  size_t header = (size_t)(text - block);
  if (a->size == header + SAMPLE + 1) a->header = header;
  return 0;
}

lua_State *lv_alloc_newstate(lv_alloc *a) {
  *a = (lv_alloc){0};
  lua_State *L = lua_newstate(allocate, a);
  if (L == NULL) return NULL;
  lua_atpanic(L, on_panic);
  lua_pushcfunction(L, learn);
  lua_pushlightuserdata(L, a);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK) return L;
  lua_close(L);
  return NULL;
}

void lv_alloc_push_block(lua_State *L, lv_alloc *a, char *block, size_t n) {
  luaL_checkstack(L, 1, NULL);
  block[a->header + n] = '\0';
  a->offered = block;
  a->size = a->header + n + 1;
  lua_pushlstring(L, block + a->header, n);
  free(a->offered); /* not taken: Lua has copied the text */
  a->offered = NULL;
}
