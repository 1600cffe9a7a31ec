/* bind/alloc.h — Lua's allocator, which can make a string of bytes in place.
 *
 * A gigabyte that a child wrote would be copied to become a Lua string: most of
 * that costs the first touch of new memory. So the block that the bytes were
 * read into becomes the string itself. */
#ifndef LV_BIND_ALLOC_H
#define LV_BIND_ALLOC_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
  void *offered; /* a block that the next allocation of `size` gets, or NULL */
  size_t size;
  size_t header; /* bytes of a long string before its text; 0: not known */
  bool learning;
  bool is_limited; /* see quota.c */
  size_t left;     /* bytes that may still be taken */
} lv_alloc;

/* A state on this allocator, which must outlive it; NULL: out of memory. */
lua_State *lv_alloc_newstate(lv_alloc *a);

/* Push the n bytes of text that stand a->header bytes into a block of malloc
 * with room for one byte behind them. The block is Lua's or freed afterwards.
 * May raise for want of memory. Only where a->header is not 0. */
void lv_alloc_push_block(lua_State *L, lv_alloc *a, char *block, size_t n);

#endif
