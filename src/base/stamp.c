/* base/stamp.c — See stamp.h. */
#include "base/stamp.h"

#include <stdio.h>
#include <string.h>

static size_t format_iso(char *text, size_t size, struct timespec at) {
  struct tm tm;
  gmtime_r(&at.tv_sec, &tm);
  size_t n = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
  int more = snprintf(text + n, size - n, ".%03ldZ ", at.tv_nsec / 1000000);
  return n + (size_t)more;
}

static size_t format_unix(char *text, size_t size, struct timespec at) {
  int n = snprintf(text, size, "%lld.%06ld ", (long long)at.tv_sec,
                   at.tv_nsec / 1000);
  return (size_t)n;
}

lv_stamp lv_stamp_make(lv_stamp_kind kind, struct timespec at) {
  lv_stamp s = {.n = 0};
  if (kind == LV_STAMP_ISO) s.n = format_iso(s.text, sizeof s.text, at);
  if (kind == LV_STAMP_UNIX) s.n = format_unix(s.text, sizeof s.text, at);
  return s;
}

lv_stamp lv_stamp_now(lv_stamp_kind kind) {
  struct timespec now = {0};
  if (kind != LV_STAMP_NONE) clock_gettime(CLOCK_REALTIME, &now);
  return lv_stamp_make(kind, now);
}

size_t lv_line_first(const char *bytes, size_t n) {
  const char *end = n > 0 ? memchr(bytes, '\n', n) : NULL;
  return end ? (size_t)(end - bytes) + 1 : 0;
}

size_t lv_line_last(const char *bytes, size_t n) {
  const char *end = n > 0 ? memrchr(bytes, '\n', n) : NULL;
  return end ? (size_t)(end - bytes) + 1 : 0;
}

static void put(lv_buf *out, const char *bytes, size_t n) {
  memcpy(out->data + out->tail, bytes, n);
  out->tail += n;
}

static size_t append_plain(lv_buf *out, const char *bytes, size_t n,
                           bool *mid) {
  if (n == 0 || lv_buf_append(out, bytes, n) < 0) return 0;
  *mid = bytes[n - 1] != '\n';
  return n;
}

size_t lv_stamp_append(lv_buf *out, const lv_stamp *stamp, const char *bytes,
                       size_t n, bool *mid) {
  if (stamp->n == 0) return append_plain(out, bytes, n, mid);
  size_t done = 0;
  while (done < n) {
    size_t line = lv_line_first(bytes + done, n - done);
    size_t part = line > 0 ? line : n - done;
    if (lv_buf_reserve(out, stamp->n + part) < 0) break;
    if (!*mid) put(out, stamp->text, stamp->n);
    put(out, bytes + done, part);
    *mid = line == 0;
    done += part;
  }
  return done;
}
