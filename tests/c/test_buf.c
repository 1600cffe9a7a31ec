/* tests/c/test_buf.c — A growable run of bytes. */
#include "base/buf.h"

#include <stdint.h>
#include <stdlib.h>

#include "tap.h"

static bool holds(const lv_buf *b, const char *want) {
  size_t n = strlen(want);
  if (lv_buf_size(b) != n) return false;
  return n == 0 || memcmp(lv_buf_bytes(b), want, n) == 0;
}

static void add(lv_buf *b, const char *text) {
  is_int(lv_buf_append(b, text, strlen(text)), 0, "adds '%s'", text);
}

static void zeroed_memory_is_an_empty_one(void) {
  lv_buf b = {0};
  is_int((long long)lv_buf_size(&b), 0, "nothing in it");
  is_int((long long)lv_buf_room(&b), 0, "no memory taken");
  is_int(lv_buf_append(&b, NULL, 0), 0, "nothing can be added");
  lv_buf_consume(&b, 0);
  lv_buf_compact(&b);
  ok(b.data == NULL, "that takes no memory");
  lv_buf_fini(&b);
}

static void what_is_added_at_the_tail_is_eaten_at_the_head(void) {
  lv_buf b = {0};
  add(&b, "one two");
  lv_buf_consume(&b, 4);
  ok(holds(&b, "two"), "the rest");
  add(&b, " three");
  ok(holds(&b, "two three"), "and more");
  lv_buf_consume(&b, lv_buf_size(&b));
  ok(holds(&b, ""), "nothing left");
  lv_buf_fini(&b);
}

static void bytes_can_be_put_back(void) {
  lv_buf b = {0};
  is_int(lv_buf_prepend(&b, "bc", 2), 0, "into an empty one");
  is_int(lv_buf_prepend(&b, "a", 1), 0, "where no room was");
  ok(holds(&b, "abc"), "they come first");
  lv_buf_consume(&b, 2);
  char *data = b.data;
  is_int(lv_buf_prepend(&b, "AB", 2), 0, "where room was");
  ok(holds(&b, "ABc") && b.data == data, "nothing was moved");
  is_int(lv_buf_prepend(&b, NULL, 0), 0, "nothing, too");
  char long_text[5000];
  memset(long_text, 'x', sizeof long_text);
  is_int(lv_buf_prepend(&b, long_text, sizeof long_text), 0, "a long text");
  is_int((long long)lv_buf_size(&b), 5003, "is there");
  ok(memcmp(lv_buf_bytes(&b) + 5000, "ABc", 3) == 0, "before the rest");
  lv_buf_fini(&b);
}

static void reserving_loses_nothing(void) {
  lv_buf b = {0};
  add(&b, "0123456789");
  lv_buf_consume(&b, 5);
  for (size_t n = 1; n < (1 << 20); n = 2 * n + 1) {
    is_int(lv_buf_reserve(&b, n), 0, "room for %zu", n);
    ok(lv_buf_room(&b) >= n, "is there");
    ok(holds(&b, "56789"), "with what was in it");
  }
  lv_buf_fini(&b);
}

static void too_much_is_refused_and_changes_nothing(void) {
  lv_buf b = {0};
  add(&b, "kept");
  is_int(lv_buf_reserve(&b, SIZE_MAX), -ENOMEM, "all there is");
  is_int(lv_buf_reserve(&b, SIZE_MAX / 4), -ENOMEM, "more than there is");
  ok(holds(&b, "kept"), "nothing is lost");
  lv_buf_fini(&b);
}

static void a_big_block_is_freed_when_it_is_empty_a_small_one_kept(void) {
  lv_buf b = {0};
  is_int(lv_buf_reserve(&b, 4 << 20), 0, "4 MiB");
  b.tail += 4 << 20;
  lv_buf_consume(&b, 4 << 20);
  is_int((long long)b.cap, 0, "is freed");
  is_int(lv_buf_reserve(&b, 256 << 10), 0, "256 KiB");
  b.tail += 256 << 10;
  lv_buf_consume(&b, 256 << 10);
  ok(b.cap >= 256 << 10, "is kept");
  lv_buf_fini(&b);
}

/* The bytes that were moved are at most a few times those that passed. */
static void a_queue_that_never_runs_empty_does_not_move_its_bytes_often(void) {
  enum { QUEUED = 100000, PIECE = 1000, PASSED = 10000000 };
  static char piece[PIECE];
  lv_buf b = {0};
  size_t moved = 0;
  for (size_t i = 0; i < QUEUED / PIECE; i++)
    lv_buf_append(&b, piece, PIECE);
  for (size_t i = 0; i < PASSED / PIECE; i++) {
    lv_buf_consume(&b, PIECE);
    size_t head = b.head, size = lv_buf_size(&b);
    lv_buf_append(&b, piece, PIECE);
    if (b.head < head) moved += size;
  }
  ok(moved <= 2 * (size_t)PASSED, "%zu bytes moved for %d", moved, PASSED);
  ok(b.cap <= 8 * QUEUED, "in %zu bytes of memory for %d", b.cap, QUEUED);
  lv_buf_fini(&b);
}

/* Any sequence of calls does what it would do to an array. */
static void it_behaves_as_an_array_would(void) {
  enum { MOST = 1 << 16 };
  static unsigned char model[MOST], bytes[4096];
  size_t size = 0;
  lv_buf b = {0};
  srand(1);
  bool same = true;
  for (int i = 0; i < 20000 && same; i++) {
    size_t n = (size_t)rand() % sizeof bytes;
    for (size_t k = 0; k < n; k++)
      bytes[k] = (unsigned char)rand();
    int what = rand() % 4;
    if (what == 0 || size + n > MOST) {
      n = n < size ? n : size;
      lv_buf_consume(&b, n);
      memmove(model, model + n, size -= n);
    } else if (what == 1) {
      lv_buf_prepend(&b, bytes, n);
      memmove(model + n, model, size);
      memcpy(model, bytes, n);
      size += n;
    } else {
      if (what == 2) lv_buf_compact(&b);
      lv_buf_append(&b, bytes, n);
      memcpy(model + size, bytes, n);
      size += n;
    }
    same = lv_buf_size(&b) == size &&
           (size == 0 || memcmp(lv_buf_bytes(&b), model, size) == 0);
  }
  ok(same, "after each of 20000 calls");
  lv_buf_fini(&b);
}

int main(void) {
  run(zeroed_memory_is_an_empty_one);
  run(what_is_added_at_the_tail_is_eaten_at_the_head);
  run(bytes_can_be_put_back);
  run(reserving_loses_nothing);
  run(too_much_is_refused_and_changes_nothing);
  run(a_big_block_is_freed_when_it_is_empty_a_small_one_kept);
  run(a_queue_that_never_runs_empty_does_not_move_its_bytes_often);
  run(it_behaves_as_an_array_would);
  return tap_done();
}
