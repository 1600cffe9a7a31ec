/* base/stamp.h — Lines with the time before each of them. */
#ifndef LV_BASE_STAMP_H
#define LV_BASE_STAMP_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

typedef enum {
  LV_STAMP_NONE,
  LV_STAMP_ISO, /* "2024-02-29T23:59:59.123Z " */
  LV_STAMP_UNIX /* "1709251199.123456 " */
} lv_stamp_kind;

typedef struct {
  char text[40]; /* with the blank behind it */
  size_t n;      /* 0: none */
} lv_stamp;

lv_stamp lv_stamp_make(lv_stamp_kind kind, struct timespec at);
lv_stamp lv_stamp_now(lv_stamp_kind kind);

/* Append n bytes to out, the stamp before each line that begins in them. *mid:
 * they begin in the midst of a line; becomes: they end so. Returns how many of
 * them: fewer than n, whole lines, where there is no memory for more. */
size_t lv_stamp_append(lv_buf *out, const lv_stamp *stamp, const char *bytes,
                       size_t n, bool *mid);

/* The first and the last line end in n bytes, the newline included: how many
 * bytes up to there; 0 if there is none. */
size_t lv_line_first(const char *bytes, size_t n);
size_t lv_line_last(const char *bytes, size_t n);

#endif
