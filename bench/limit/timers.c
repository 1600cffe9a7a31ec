/* timers.c — n timers, each due once within a second; the processor time.
 * A binary heap and one nanosleep for the next millisecond in which something
 * is due. Delays are whole milliseconds, the same ones in each program.
 */
#include "common.h"

#include <stdint.h>

#define MSEC UINT64_C(1000000)

static uint64_t *heap; /* heap[1..count], the least first */
static size_t count;

static void push(uint64_t due) {
  size_t i = ++count;
  for (; i > 1 && heap[i / 2] > due; i /= 2)
    heap[i] = heap[i / 2];
  heap[i] = due;
}

static void pop(void) {
  uint64_t last = heap[count--];
  size_t i = 1;
  for (size_t kid; (kid = 2 * i) <= count; i = kid) {
    if (kid < count && heap[kid + 1] < heap[kid]) kid++;
    if (heap[kid] >= last) break;
    heap[i] = heap[kid];
  }
  heap[i] = last;
}

static uint64_t clock_ns(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns) {
  struct timespec t = {.tv_sec = (time_t)(ns / 1000000000),
                       .tv_nsec = (long)(ns % 1000000000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* 1 to 1000 ms, by the generator that every program of this benchmark has. */
static uint64_t next_delay(void) {
  static uint32_t seed = 1;
  seed = (seed * 1103515245 + 12345) & 0x7fffffff;
  return ((seed >> 8) % 1000 + 1) * MSEC;
}

/* Like other loops, ask the clock once a turn, and wake on milliseconds. */
static long run(void) {
  long fired = 0;
  while (count > 0) {
    sleep_until((heap[1] + MSEC - 1) / MSEC * MSEC);
    uint64_t time = clock_ns(CLOCK_MONOTONIC);
    for (; count > 0 && heap[1] <= time; fired++)
      pop();
  }
  return fired;
}

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 100000);
  heap = calloc((size_t)n + 1, sizeof *heap);
  if (heap == NULL) die("calloc");
  double t = now();
  uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  for (long i = 0; i < n; i++)
    push(clock_ns(CLOCK_MONOTONIC) + next_delay());
  if (run() != n) fail("some timers did not fire");
  cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  char more[64];
  snprintf(more, sizeof more, ", \"wall_s\": %.6f", now() - t);
  report("timers", n, (double)cpu / 1e9, more);
  free(heap);
  return 0;
}
