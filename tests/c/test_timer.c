/* tests/c/test_timer.c — Many timers on one. */
#include "core/timer.h"

#include <stdlib.h>

#include "tap.h"

static uv_loop_t loop;
static lv_timers timers;

static void open_timers(void) {
  if (uv_loop_init(&loop) != 0) abort();
  lv_timers_init(&timers, &loop);
}

/* A turn may end when timers have fired. */
static void run_all(void) {
  while (uv_loop_alive(&loop))
    uv_run(&loop, UV_RUN_ONCE);
}

static void close_timers(void) {
  lv_timers_close(&timers);
  run_all();
  if (uv_loop_close(&loop) != 0) abort(); /* something is left on it */
  lv_timers_fini(&timers);
}

typedef struct {
  lv_timer timer;
  double seconds;
  uint64_t started, fired; /* fired: 0 not yet */
  int times;
} alarm_clock;

static int order[1000], norder;
static alarm_clock clocks[1000];

static void on_alarm(lv_timer *timer) {
  alarm_clock *c = (alarm_clock *)(void *)timer;
  c->fired = uv_hrtime();
  c->times++;
  order[norder++] = (int)(c - clocks);
}

static int start(int i, double seconds) {
  clocks[i].timer.fn = on_alarm;
  clocks[i].seconds = seconds;
  clocks[i].started = uv_hrtime();
  return lv_timer_start(&timers, &clocks[i].timer, seconds);
}

static void set_up(void) {
  memset(clocks, 0, sizeof clocks);
  norder = 0;
  open_timers();
}

static void timers_fire_in_the_order_of_their_times(void) {
  set_up();
  start(0, 0.3); /* the calls are not that far apart */
  start(1, 0.1);
  start(2, 0.2);
  run_all();
  is_int(norder, 3, "all fire");
  ok(order[0] == 1 && order[1] == 2 && order[2] == 0, "the earliest first");
  close_timers();
}

static void none_fires_early_or_twice(void) {
  enum { N = 300 };
  set_up();
  srand(2);
  for (int i = 0; i < N; i++)
    start(i, (rand() % 20000) / 1e6);
  run_all();
  is_int(norder, N, "all fire");
  int early = 0, twice = 0;
  for (int i = 0; i < N; i++) {
    const alarm_clock *c = &clocks[i];
    early += (double)(c->fired - c->started) < c->seconds * 1e9 - 1;
    twice += c->times != 1;
  }
  is_int(early, 0, "none early");
  is_int(twice, 0, "each once");
  for (int i = 0; i < N; i++)
    early += lv_timer_is_running(&clocks[i].timer);
  is_int(early, 0, "none runs any more");
  close_timers();
}

static void a_stopped_timer_never_fires(void) {
  enum { N = 200 };
  set_up();
  srand(3);
  for (int i = 0; i < N; i++)
    start(i, (rand() % 5000) / 1e6);
  for (int i = 0; i < N; i += 2)
    lv_timer_stop(&timers, &clocks[i].timer);
  lv_timer_stop(&timers, &clocks[0].timer); /* harmless */
  run_all();
  int wrong = 0;
  for (int i = 0; i < N; i++)
    wrong += clocks[i].times != i % 2;
  is_int(wrong, 0, "half of them fire");
  close_timers();
}

static void without_timers_nothing_keeps_the_loop(void) {
  set_up();
  start(0, 1000);
  ok(uv_loop_alive(&loop), "a timer does");
  lv_timer_stop(&timers, &clocks[0].timer);
  ok(!uv_loop_alive(&loop), "a stopped one does not");
  close_timers();
}

static void starting_again_moves_a_timer(void) {
  set_up();
  start(0, 1000);
  start(1, 0.001);
  start(0, 0);
  is_int((long long)timers.n, 2, "it is there once");
  run_all();
  ok(norder == 2 && order[0] == 0, "and now the first");
  close_timers();
}

static void stop_others(lv_timer *timer) {
  on_alarm(timer);
  for (int i = 1; i < 10; i++)
    lv_timer_stop(&timers, &clocks[i].timer);
}

static void a_timer_may_stop_others_that_are_due(void) {
  set_up();
  for (int i = 0; i < 10; i++)
    start(i, 0);
  for (int i = 0; i < 10; i++)
    clocks[i].timer.fn = i == 0 ? stop_others : on_alarm;
  run_all();
  is_int(norder, 1, "they do not fire");
  close_timers();
}

static void no_number_of_seconds_is_too_big(void) {
  const double seconds[] = {1e10, 1e300, 1.0 / 0.0, 0.0 / 0.0};
  set_up();
  for (int i = 0; i < 4; i++)
    is_int(start(i, seconds[i]), 0, "%g", seconds[i]);
  is_int(start(4, -5), 0, "less than none is none");
  while (norder == 0)
    uv_run(&loop, UV_RUN_ONCE);
  ok(norder == 1 && order[0] == 4, "the others are still to come");
  for (int i = 0; i < 4; i++)
    lv_timer_stop(&timers, &clocks[i].timer);
  close_timers();
}

int main(void) {
  open_timers(); /* the first loop opens what all share */
  close_timers();
  run(timers_fire_in_the_order_of_their_times);
  run(none_fires_early_or_twice);
  run(a_stopped_timer_never_fires);
  run(without_timers_nothing_keeps_the_loop);
  run(starting_again_moves_a_timer);
  run(a_timer_may_stop_others_that_are_due);
  run(no_number_of_seconds_is_too_big);
  return tap_done();
}
