/* bind/search.h — What expect.c and search.c share. */
#ifndef LV_BIND_SEARCH_H
#define LV_BIND_SEARCH_H

#include "base/buf.h"
#include "base/scan.h"

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/* What a program has said and nobody has taken. Its bytes have numbers, from 0
 * for the first after what was taken last. */
typedef struct {
  lv_buf bytes;
  size_t max;     /* that trim leaves */
  size_t dropped; /* by trim, since something was taken: the first's number */
  uint64_t takes; /* how often the numbers have begun anew */
  uint64_t examined; /* bytes that searches have looked at */
} lv_expect_buffer;

lv_expect_buffer *lv_check_expect_buffer(lua_State *L, int arg);
lv_span lv_expect_span(const lv_expect_buffer *b);

int lv_l_search(lua_State *L); /* the function that makes a search */
void lv_make_search_class(lua_State *L);

#endif
