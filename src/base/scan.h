/* base/scan.h — The search for a pattern in a stream whose bytes come in
 * pieces. See scan.c.
 *
 * It finds what string.find would find in all that has come, but looks at each
 * byte once: the search is suspended where the bytes end, and goes on with
 * those that come later. Bytes are known by their number in the stream. */
#ifndef LV_BASE_SCAN_H
#define LV_BASE_SCAN_H

#include "base/pattern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is there of the stream: bytes[0] is number `from`, the last one number
 * to - 1. */
typedef struct {
  const char *bytes;
  size_t from, to;
} lv_span;

/* A way through the pattern that may still lead to its end, as a row of
 * numbers: these, and two for each capture. */
enum { LV_WAY_ITEM, LV_WAY_DEPTH, LV_WAY_START, LV_WAY_CAPTURES };

typedef struct {
  size_t *ways; /* the better one first; of an earlier start, thus */
  size_t n;
  size_t deep; /* of them are inside of a "%b" */
} lv_way_list;

typedef struct {
  const lv_pattern *p;
  size_t window; /* what is longer than this need not be found */
  size_t pos;    /* the next byte to look at */
  size_t row;    /* numbers in a way */
  lv_way_list now, next;
  size_t *fresh;          /* the way that begins at pos */
  size_t *best;           /* the match, if there is one: a way, … */
  size_t end;             /* … and the number of the byte behind it */
  bool found;             /* a better one may come as long as there are ways */
  uint64_t turn;          /* names this byte, or this look at the end */
  uint64_t *seen;         /* the turn in which an item was tried last */
  uint64_t *queued;       /* … in which a way before it was put into `next` */
  unsigned char previous; /* the byte before pos; 0 before the first */
  uint64_t examined;      /* bytes looked at so far */
} lv_scan;

/* p is borrowed. 0 or -ENOMEM. */
int lv_scan_open(lv_scan *s, const lv_pattern *p, size_t window);
void lv_scan_close(lv_scan *s); /* twice is harmless */

/* Begin anew, with byte `pos`. */
void lv_scan_reset(lv_scan *s, size_t pos);

/* Look at the bytes below number `to`, for a match that begins before number
 * `before`; stops as soon as the best of those is found. */
void lv_scan_run(lv_scan *s, const lv_span *text, size_t to, size_t before);

/* No further byte will change what was found. */
bool lv_scan_is_over(const lv_scan *s, size_t before);

/* All there is was run through: is there a match, if nothing more comes? What
 * was no match may become one by what comes later. */
bool lv_scan_end(lv_scan *s, size_t before);

#endif
