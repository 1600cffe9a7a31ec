/* base/pattern.h — A Lua pattern as a list of items, to be searched for in a
 * stream (scan.h).
 *
 * The items stand in the order of the pattern, and no choice leads back: this
 * is all that Lua's patterns can say, but for %1 to %9. A pattern with those is
 * only checked. */
#ifndef LV_BASE_PATTERN_H
#define LV_BASE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  LV_CAPTURES = 32,      /* that a pattern may have, as in Lua */
  LV_PATTERN_MOST = 4096 /* items */
};

typedef struct {
  uint64_t word[4];
} lv_byte_set;

static inline bool lv_byte_set_has(const lv_byte_set *set, unsigned char c) {
  return set->word[c / 64] >> c % 64 & 1;
}

typedef enum {
  LV_ITEM_ONE,      /* a byte of the set */
  LV_ITEM_MAYBE,    /* "?": one, rather than none */
  LV_ITEM_MANY,     /* "*": any number, the more the better */
  LV_ITEM_FEW,      /* "-": any number, the fewer the better */
  LV_ITEM_BALANCED, /* "%bxy": from x to its y */
  LV_ITEM_OPEN,     /* "(" of capture x */
  LV_ITEM_CLOSE,    /* ")" of capture x */
  LV_ITEM_POSITION, /* "()": capture x */
  LV_ITEM_FRONTIER, /* "%f[set]" */
  LV_ITEM_END,      /* "$" at the pattern's end */
  LV_ITEM_FOUND     /* the last of every pattern */
} lv_item_op;

typedef struct {
  lv_item_op op;
  unsigned char x, y;
  lv_byte_set set;
} lv_item;

typedef struct {
  lv_item *items;
  size_t n;
  int captures;
  int balanced;       /* how many items are LV_ITEM_BALANCED */
  uint32_t positions; /* bit k: capture k is a position */
  bool anchored;      /* begins with "^" */
  bool refers;        /* has %1 to %9: there are no items */
  bool may_be_empty;  /* can match without a byte */
  lv_byte_set first;  /* the bytes that a match can begin with */
  int only_first;     /* if that is one: it; else -1 */
} lv_pattern;

/* 0; -ENOMEM; or -EINVAL with what is wrong in *fault. The text is not needed
 * any more. */
int lv_pattern_open(lv_pattern *p, const char *text, size_t n,
                    const char **fault);
void lv_pattern_close(lv_pattern *p); /* twice is harmless */

#endif
