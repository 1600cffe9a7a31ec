/* core/timer.c — A binary heap of timers under one uv_timer_t.
 *
 * libuv's own timers are handles: each needs a close that ends a turn later.
 * Ours are nodes, so that a wait with a deadline is a field of a task. */
#include "core/timer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static const double NS = 1e9;
static const double FOREVER = 9e9; /* seconds; more would overflow */

static void place(lv_timers *ts, size_t slot, lv_timer_slot entry) {
  ts->heap[slot] = entry;
  entry.timer->slot = slot;
}

static void sift_up(lv_timers *ts, size_t slot) {
  lv_timer_slot entry = ts->heap[slot];
  for (; slot > 1 && ts->heap[slot / 2].due > entry.due; slot /= 2)
    place(ts, slot, ts->heap[slot / 2]);
  place(ts, slot, entry);
}

static void sift_down(lv_timers *ts, size_t slot) {
  lv_timer_slot entry = ts->heap[slot];
  for (;;) {
    size_t child = 2 * slot;
    if (child > ts->n) break;
    if (child < ts->n && ts->heap[child + 1].due < ts->heap[child].due) child++;
    if (ts->heap[child].due >= entry.due) break;
    place(ts, slot, ts->heap[child]);
    slot = child;
  }
  place(ts, slot, entry);
}

static void take_out(lv_timers *ts, lv_timer *timer) {
  size_t slot = timer->slot;
  lv_timer_slot last = ts->heap[ts->n--];
  timer->slot = 0;
  if (last.timer == timer) return;
  place(ts, slot, last);
  sift_up(ts, slot);
  sift_down(ts, last.timer->slot);
}

static void on_uv(uv_timer_t *uv);

/* libuv counts whole milliseconds of its own, truncated clock: rounding the
 * due time up keeps a timer from firing early and then again. */
static void arm(lv_timers *ts) {
  if (ts->n == 0) {
    uv_timer_stop(&ts->uv);
    return;
  }
  uint64_t due = (ts->heap[1].due + 999999) / 1000000;
  uv_update_time(ts->uv.loop);
  uint64_t now = uv_now(ts->uv.loop);
  uv_timer_start(&ts->uv, on_uv, due > now ? due - now : 0, 0);
}

/* libuv runs timers before it polls, and would then sleep although our
 * functions have made something ready: stopped, it only looks. */
static void on_uv(uv_timer_t *uv) {
  lv_timers *ts = uv->data;
  uint64_t now = uv_hrtime();
  uv_stop(uv->loop);
  while (ts->n > 0 && ts->heap[1].due <= now) {
    lv_timer *timer = ts->heap[1].timer;
    take_out(ts, timer);
    timer->fn(timer);
  }
  arm(ts);
}

void lv_timers_init(lv_timers *ts, uv_loop_t *loop) {
  *ts = (lv_timers){0};
  uv_timer_init(loop, &ts->uv);
  ts->uv.data = ts;
}

void lv_timers_close(lv_timers *ts) {
  assert(ts->n == 0);
  uv_close((uv_handle_t *)&ts->uv, NULL);
}

void lv_timers_fini(lv_timers *ts) {
  free(ts->heap);
  ts->heap = NULL;
}

int lv_timer_start(lv_timers *ts, lv_timer *timer, double seconds) {
  if (timer->slot != 0) take_out(ts, timer);
  if (ts->n + 1 >= ts->cap) {
    size_t cap = ts->cap ? 2 * ts->cap : 16;
    lv_timer_slot *heap = realloc(ts->heap, cap * sizeof *heap);
    if (heap == NULL) return -ENOMEM;
    ts->heap = heap;
    ts->cap = cap;
  }
  if (!(seconds < FOREVER)) seconds = FOREVER;
  uint64_t delay = seconds > 0 ? (uint64_t)(seconds * NS) : 0;
  ts->heap[++ts->n] = (lv_timer_slot){uv_hrtime() + delay, timer};
  sift_up(ts, ts->n);
  if (timer->slot == 1) arm(ts);
  return 0;
}

void lv_timer_stop(lv_timers *ts, lv_timer *timer) {
  if (timer->slot == 0) return;
  bool first = timer->slot == 1;
  take_out(ts, timer);
  if (first) arm(ts);
}
