/* core/timer.h — Many timers on one uv_timer_t.
 *
 * A timer lies inside what waits for it and is gone the moment it is stopped:
 * no memory of its own, no close callback to outlive. Its function wakes; timers
 * that it starts are due in a later turn. */
#ifndef LV_CORE_TIMER_H
#define LV_CORE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

typedef struct lv_timer lv_timer;
typedef void (*lv_timer_fn)(lv_timer *timer);

struct lv_timer {
  size_t slot; /* place in the heap, 0 while stopped */
  lv_timer_fn fn;
};

/* The due time stands beside the timer, so that ordering touches no timer. */
typedef struct {
  uint64_t due; /* ns, uv_hrtime's clock */
  lv_timer *timer;
} lv_timer_slot;

typedef struct {
  uv_timer_t uv;
  lv_timer_slot *heap; /* [1..n], the earliest first */
  size_t n, cap;
} lv_timers;

void lv_timers_init(lv_timers *ts, uv_loop_t *loop);
void lv_timers_close(lv_timers *ts); /* uv's handle dies in the next turn */
void lv_timers_fini(lv_timers *ts);

/* Call timer->fn once, `seconds` from now, never early; a running timer is
 * moved. 0 or -ENOMEM. */
int lv_timer_start(lv_timers *ts, lv_timer *timer, double seconds);
void lv_timer_stop(lv_timers *ts, lv_timer *timer); /* stopped: harmless */

static inline bool lv_timer_is_running(const lv_timer *timer) {
  return timer->slot != 0;
}

#endif
