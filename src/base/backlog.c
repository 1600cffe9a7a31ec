/* base/backlog.c — See backlog.h. */
#include "base/backlog.h"

#include <errno.h>

static void note_line(lv_backlog *b, bool ends) {
  b->lines++;
  b->dropping = b->mid = !ends;
}

/* What is there of the unfinished line goes, too; it is whole no more if some
 * of it was taken. */
static void drop_begun(lv_backlog *b) {
  b->bytes.tail -= b->begun;
  b->lost += b->raw;
  b->begun = b->raw = 0;
  b->cut = b->cut || b->partial;
  b->partial = false;
}

static void drop(lv_backlog *b, size_t n, bool ends) {
  b->lost += n;
  if (b->dropping) {
    b->dropping = b->mid = !ends;
    return;
  }
  drop_begun(b);
  note_line(b, ends);
}

/* A part of a line, or all of it. 0 or -ENOMEM. */
static int keep(lv_backlog *b, const lv_stamp *stamp, const char *part,
                size_t n, bool ends) {
  size_t before = lv_buf_size(&b->bytes);
  if (lv_stamp_append(&b->bytes, stamp, part, n, &b->mid) < n) return -ENOMEM;
  b->begun = ends ? 0 : b->begun + lv_buf_size(&b->bytes) - before;
  b->raw = ends ? 0 : b->raw + n;
  if (ends) b->partial = false;
  return 0;
}

/* Without stamps the lines need not be looked at one by one, as long as there
 * is memory for all. */
static bool keep_all(lv_backlog *b, const char *bytes, size_t n) {
  size_t whole = lv_line_last(bytes, n);
  if (lv_buf_append(&b->bytes, bytes, n) < 0) return false;
  if (whole > 0) {
    b->begun = 0;
    b->partial = false;
  }
  b->begun += n - whole;
  b->raw = b->begun;
  b->mid = n > whole;
  return true;
}

static bool fits(const lv_backlog *b, const lv_stamp *stamp, size_t n,
                 size_t most) {
  return b->lost == 0 && lv_buf_size(&b->bytes) + stamp->n + n <= most;
}

int lv_backlog_put(lv_backlog *b, const lv_stamp *stamp, const char *bytes,
                   size_t n, size_t most) {
  int worst = 0;
  if (n > 0 && stamp->n == 0 && fits(b, stamp, n, most) &&
      keep_all(b, bytes, n))
    return 0;
  while (n > 0) {
    size_t line = lv_line_first(bytes, n);
    size_t part = line > 0 ? line : n;
    int rc = fits(b, stamp, part, most) ? keep(b, stamp, bytes, part, line > 0)
                                        : -ENOSPC;
    if (rc < 0) drop(b, part, line > 0);
    if (rc == -ENOMEM) worst = rc;
    bytes += part;
    n -= part;
  }
  return worst;
}

bool lv_backlog_is_at_gap(const lv_backlog *b, bool over) {
  return b->lost > 0 && lv_buf_size(&b->bytes) == 0 && (over || !b->dropping);
}

int lv_backlog_mend(lv_backlog *b, const char *line, size_t n) {
  int rc = lv_buf_reserve(&b->bytes, n + 1);
  if (rc == 0 && b->cut) rc = lv_buf_append(&b->bytes, "\n", 1);
  if (rc == 0) rc = lv_buf_append(&b->bytes, line, n);
  if (rc < 0) return rc;
  b->lost = b->lines = 0;
  b->cut = b->dropping = b->mid = false;
  return 0;
}

void lv_backlog_take(lv_backlog *b, lv_buf *out) {
  lv_buf taken = b->bytes;
  b->bytes = *out;
  *out = taken;
  b->partial = b->mid && !b->dropping;
  b->begun = b->raw = 0;
}

void lv_backlog_fini(lv_backlog *b) {
  lv_buf_fini(&b->bytes);
}
