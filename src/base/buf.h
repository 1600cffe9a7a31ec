/* base/buf.h — A growable run of bytes, filled at its tail, eaten at its head.
 * Zeroed memory is an empty one. */
#ifndef LV_BASE_BUF_H
#define LV_BASE_BUF_H

#include <stddef.h>

typedef struct {
  char *data;
  size_t head, tail, cap; /* the bytes are data[head..tail) */
} lv_buf;

/* Bytes are put no nearer to the block's beginning, which leaves room for what
 * others keep before a text of theirs (bind/alloc.h). */
enum { LV_BUF_FRONT = 24 };

static inline size_t lv_buf_size(const lv_buf *b) {
  return b->tail - b->head;
}

static inline char *lv_buf_bytes(const lv_buf *b) { /* size > 0 */
  return b->data + b->head;
}

static inline size_t lv_buf_room(const lv_buf *b) {
  return b->cap - b->tail;
}

/* Room for n more bytes at data + tail. 0 or -ENOMEM, as all here; then it
 * holds what it held. */
int lv_buf_reserve(lv_buf *b, size_t n);

/* Make what room there is usable, where that is cheap. */
void lv_buf_compact(lv_buf *b);

int lv_buf_append(lv_buf *b, const void *bytes, size_t n);
/* Put bytes back before the head. */
int lv_buf_prepend(lv_buf *b, const void *bytes, size_t n);
void lv_buf_consume(lv_buf *b, size_t n); /* n <= size; memory may be freed */
void lv_buf_fini(lv_buf *b);

/* The bytes, from `front` on in a block of malloc that is the caller's, with
 * room for `behind` more; the buffer is empty afterwards. NULL: no memory, and
 * nothing changed. Nothing is copied if front is LV_BUF_FRONT and the bytes
 * have not been eaten at. */
char *lv_buf_detach(lv_buf *b, size_t front, size_t behind);

#endif
