/* tests/c/test_watchset.c — Descriptors that are watched in a set. */
#include "core/watchset.h"

#include <stdlib.h>
#include <unistd.h>

#include "tap.h"

enum { MANY = 2 * LV_WATCHSET_BATCH + 10 };

typedef struct {
  lv_spot spot;
  int ends[2];
  int times;
} pipe_end;

static uv_loop_t loop;
static lv_watchset set;
static pipe_end pipes[MANY];
static int total;

static void on_readable(void *arg) {
  pipe_end *p = arg;
  p->times++;
  total++;
}

static void read_one(void *arg) {
  pipe_end *p = arg;
  char c;
  on_readable(arg);
  if (read(p->ends[0], &c, 1) != 1) abort();
}

/* The first that is told turns off all, itself among them. */
static void turn_all_off(void *arg) {
  on_readable(arg);
  for (int i = 0; i < MANY; i++)
    lv_spot_off(&pipes[i].spot);
}

static void open_set(int n, void (*fn)(void *arg)) {
  if (uv_loop_init(&loop) != 0 || lv_watchset_open(&set, &loop) != 0) abort();
  total = 0;
  for (int i = 0; i < n; i++) {
    pipe_end *p = &pipes[i];
    *p = (pipe_end){.spot = {.fn = fn, .arg = p}};
    if (pipe(p->ends) != 0) abort();
    if (lv_spot_on(&p->spot, &set, p->ends[0]) != 0) abort();
  }
}

static void close_set(int n) {
  for (int i = 0; i < n; i++) {
    lv_spot_off(&pipes[i].spot);
    close(pipes[i].ends[0]);
    close(pipes[i].ends[1]);
  }
  lv_watchset_close(&set);
  uv_run(&loop, UV_RUN_DEFAULT);
  if (uv_loop_close(&loop) != 0) abort(); /* something is left on it */
  lv_watchset_fini(&set);
}

static void turn(void) {
  uv_run(&loop, UV_RUN_NOWAIT);
}

static void put(int i) {
  if (write(pipes[i].ends[1], "x", 1) != 1) abort();
}

static void tells_as_long_as_it_can_be_read(void) {
  open_set(2, on_readable);
  turn();
  is_int(total, 0, "nothing is there");
  put(1);
  turn();
  turn();
  is_int(pipes[1].times, 2, "told in each turn");
  is_int(pipes[0].times, 0, "the other is not");
  close(pipes[0].ends[1]);
  turn();
  is_int(pipes[0].times, 1, "told of the end");
  pipes[0].ends[1] = dup(0);
  close_set(2);
}

static void what_is_not_wanted_is_not_told(void) {
  open_set(1, on_readable);
  ok(uv_loop_alive(&loop), "the loop waits for it");
  lv_spot_want(&pipes[0].spot, false);
  ok(!uv_loop_alive(&loop), "and then does not");
  put(0);
  turn();
  turn();
  is_int(total, 0, "not told");
  lv_spot_want(&pipes[0].spot, true);
  turn();
  is_int(total, 1, "nothing is lost");
  lv_spot_off(&pipes[0].spot);
  lv_spot_want(&pipes[0].spot, true);
  turn();
  is_int(total, 1, "off is off");
  ok(!uv_loop_alive(&loop), "nobody is waited for");
  close_set(1);
}

static void more_than_a_turn_tells_are_told_in_the_next(void) {
  open_set(MANY, read_one);
  for (int i = 0; i < MANY; i++)
    put(i);
  int turns = 0;
  for (; total < MANY && turns < MANY; turns++)
    turn();
  is_int(total, MANY, "all");
  ok(turns <= 4, "in %d turns", turns);
  turn();
  is_int(total, MANY, "once");
  close_set(MANY);
}

static void who_is_turned_off_meanwhile_is_not_told(void) {
  open_set(MANY, turn_all_off);
  for (int i = 0; i < MANY; i++)
    put(i);
  turn();
  turn();
  is_int(total, 1, "one alone");
  close_set(MANY);
}

int main(void) {
  open_set(0, on_readable); /* libuv keeps two descriptors of the first loop */
  close_set(0);
  run(tells_as_long_as_it_can_be_read);
  run(what_is_not_wanted_is_not_told);
  run(more_than_a_turn_tells_are_told_in_the_next);
  run(who_is_turned_off_meanwhile_is_not_told);
  return tap_done();
}
