/* base/buf.c — See buf.h.
 *
 * Memory grows by doubling. When the bytes are eaten up, a small block is kept
 * for the next ones (first touch of memory is dear) and a big one is freed:
 * thousands of quiet streams must not hold what their loudest moment took. */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 512, KEEP = 1 << 20 };

static void move_to_front(lv_buf *b) {
  size_t size = lv_buf_size(b);
  if (b->head != LV_BUF_FRONT && size > 0)
    memmove(b->data + LV_BUF_FRONT, lv_buf_bytes(b), size);
  b->head = LV_BUF_FRONT;
  b->tail = LV_BUF_FRONT + size;
}

/* Always at least twice as much: bytes are moved only when as many as they are
 * were added or eaten since they were moved last. */
static int grow(lv_buf *b, size_t n) {
  size_t size = lv_buf_size(b);
  if (n > (size_t)-1 / 4 - size) return -ENOMEM;
  size_t cap = b->cap ? 2 * b->cap : FIRST;
  while (cap < LV_BUF_FRONT + size + n)
    cap *= 2;
  if (b->head > LV_BUF_FRONT) move_to_front(b);
  char *data = realloc(b->data, cap);
  if (data == NULL) return -ENOMEM;
  b->data = data;
  b->cap = cap;
  move_to_front(b);
  return 0;
}

void lv_buf_compact(lv_buf *b) {
  if (b->head > LV_BUF_FRONT && lv_buf_size(b) <= b->head) move_to_front(b);
}

int lv_buf_reserve(lv_buf *b, size_t n) {
  if (lv_buf_room(b) >= n) return 0;
  lv_buf_compact(b);
  return lv_buf_room(b) >= n ? 0 : grow(b, n);
}

int lv_buf_append(lv_buf *b, const void *bytes, size_t n) {
  if (n == 0) return 0;
  int rc = lv_buf_reserve(b, n);
  if (rc < 0) return rc;
  memcpy(b->data + b->tail, bytes, n);
  b->tail += n;
  return 0;
}

int lv_buf_prepend(lv_buf *b, const void *bytes, size_t n) {
  if (n == 0) return 0;
  if (b->head < n) {
    int rc = lv_buf_reserve(b, n);
    if (rc < 0) return rc;
    memmove(lv_buf_bytes(b) + n, lv_buf_bytes(b), lv_buf_size(b));
    b->tail += n;
    b->head += n;
  }
  b->head -= n;
  memcpy(lv_buf_bytes(b), bytes, n);
  return 0;
}

void lv_buf_consume(lv_buf *b, size_t n) {
  assert(n <= lv_buf_size(b));
  if (n == 0) return;
  b->head += n;
  if (b->head < b->tail) return;
  b->head = b->tail = LV_BUF_FRONT;
  if (b->cap > KEEP) lv_buf_fini(b);
}

void lv_buf_fini(lv_buf *b) {
  free(b->data);
  *b = (lv_buf){0};
}

char *lv_buf_detach(lv_buf *b, size_t front, size_t behind) {
  size_t size = lv_buf_size(b);
  if (front + size + behind > b->cap) {
    int rc = lv_buf_reserve(b, front + behind);
    if (rc < 0) return NULL;
  }
  if (b->head != front) memmove(b->data + front, lv_buf_bytes(b), size);
  b->head = front;
  b->tail = front + size;
  char *block = realloc(b->data, front + size + behind);
  if (block) *b = (lv_buf){0};
  return block;
}
