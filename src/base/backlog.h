/* base/backlog.h — Lines that wait, bounded: what does not fit is dropped by
 * whole lines, and counted.
 *
 * There is one gap at a time: once a line was dropped, all that come are, until
 * what waited has been taken and a line saying so takes the gap's place. */
#ifndef LV_BASE_BACKLOG_H
#define LV_BASE_BACKLOG_H

#include "base/buf.h"
#include "base/stamp.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  lv_buf bytes;
  size_t begun;  /* of them at the end: the unfinished line, or its rest; … */
  size_t raw;    /* … as it came, without the stamp */
  bool mid;      /* the input is in the midst of a line, … */
  bool partial;  /* … whose beginning was taken */
  bool dropping; /* … of which no more is kept */
  bool cut;      /* and what was taken of it has no end */
  uint64_t lost; /* bytes of the gap, without stamps; 0: there is none */
  uint64_t lines; /* how many lines those were, or parts of them */
} lv_backlog;

/* Put what comes, with the stamp before each line; it shall not hold more than
 * `most` bytes. 0 or -ENOMEM: then what had no room in memory is in the gap,
 * too. */
int lv_backlog_put(lv_backlog *b, const lv_stamp *stamp, const char *bytes,
                   size_t n, size_t most);

/* Is there a gap whose place has come: nothing waits, and no line is being
 * dropped? `over`: nor will the line that is come to an end. */
bool lv_backlog_is_at_gap(const lv_backlog *b, bool over);

/* Put the line that tells of the gap, which is none any more. */
int lv_backlog_mend(lv_backlog *b, const char *line, size_t n);

/* Take all that waits; *out is empty before. */
void lv_backlog_take(lv_backlog *b, lv_buf *out);

void lv_backlog_fini(lv_backlog *b);

#endif
