/* tests/c/test_widen.c — Pipes that are made bigger, and how many. */
#include "core/reader.h"
#include "core/relay.h"
#include "core/runtime.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/fd.h"
#include "tap.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

static lv_rt rt;

/* Without privilege, whoever runs this. */
static void start_runtime(void) {
  if (lv_rt_init(&rt, true) < 0) abort();
  rt.may_widen_all = false;
}

static void a_pipe_is_widened_to_a_mebibyte(void) {
  int ends[2];
  start_runtime();
  is_int(lv_fd_pipe(ends), 0, "a pipe");
  ok(lv_rt_widen(&rt, ends[0]), "is widened");
  is_int(lv_fd_pipe_size(ends[1]), MIB, "to a mebibyte");
  ok(!lv_rt_widen(&rt, ends[1]), "but once");
  is_int(rt.wide_pipes, 1, "it is one");
  lv_rt_unwiden(&rt);
  lv_fd_close(&ends[0]);
  lv_fd_close(&ends[1]);
  lv_rt_fini(&rt);
}

static void a_pipe_that_was_made_bigger_stays_so(void) {
  int ends[2];
  start_runtime();
  is_int(lv_fd_pipe(ends), 0, "a pipe");
  if (lv_fd_set_pipe_size(ends[0], 2 * MIB) < 0)
    tap_skip("needs CAP_SYS_RESOURCE");
  else
    ok(!lv_rt_widen(&rt, ends[0]) && lv_fd_pipe_size(ends[0]) == 2 * MIB,
       "is left alone");
  is_int(rt.wide_pipes, 0, "and not counted");
  lv_fd_close(&ends[0]);
  lv_fd_close(&ends[1]);
  lv_rt_fini(&rt);
}

static void no_more_than_sixteen_are_wide_at_a_time(void) {
  int ends[17][2], wide = 0;
  start_runtime();
  for (int i = 0; i < 17; i++) {
    if (lv_fd_pipe(ends[i]) < 0) abort();
    wide += lv_rt_widen(&rt, ends[i][0]);
  }
  is_int(wide, 16, "sixteen of seventeen");
  lv_rt_unwiden(&rt);
  ok(lv_rt_widen(&rt, ends[16][0]), "one more when one is closed");
  for (int i = 0; i < 17; i++) {
    lv_fd_close(&ends[i][0]);
    lv_fd_close(&ends[i][1]);
  }
  lv_rt_fini(&rt);
}

static void fill(int fd, size_t n) {
  static char bytes[4 * KIB];
  for (; n > 0; n -= sizeof bytes)
    if (write(fd, bytes, sizeof bytes) != sizeof bytes) abort();
}

static void turn(void) {
  uv_run(&rt.loop, UV_RUN_NOWAIT);
}

static void a_reader_in_bulk_widens_a_full_pipe_and_gives_it_back(void) {
  int ends[2];
  lv_io io;
  lv_reader *r;
  start_runtime();
  if (lv_fd_pipe(ends) < 0 || lv_io_own(ends[0], &io) < 0) abort();
  is_int(lv_reader_open(&r, &rt, io, 256 * KIB), 0, "a reader");
  r->bulk = r->may_widen = true;
  is_int(lv_reader_need(r, 1000 * KIB), 0, "that collects");
  fill(ends[1], 60 * KIB);
  turn();
  is_int(lv_fd_pipe_size(ends[1]), 64 * KIB, "a pipe that is not full");
  fill(ends[1], 64 * KIB);
  turn();
  is_int(lv_fd_pipe_size(ends[1]), MIB, "and one that is");
  is_int(rt.wide_pipes, 1, "is counted");
  lv_fd_close(&ends[1]);
  turn();
  ok(r->eof && lv_buf_size(&r->buf) == 124 * KIB, "its end has come");
  is_int(rt.wide_pipes, 0, "then it is counted no more");
  lv_reader_free(r);
  lv_rt_fini(&rt);
}

static void on_relayed(lv_relay *relay, void *arg) {
  (void)relay;
  *(bool *)arg = true;
}

static void a_relay_widens_both_its_pipes_and_gives_them_back(void) {
  int in[2], out[2];
  lv_io io;
  lv_reader *r;
  lv_writer *w;
  lv_relay relay;
  bool over = false;
  start_runtime();
  if (lv_fd_pipe(in) < 0 || lv_fd_pipe(out) < 0) abort();
  if (lv_io_own(in[0], &io) < 0) abort();
  is_int(lv_reader_open(&r, &rt, io, 256 * KIB), 0, "a reader");
  if (lv_io_own(out[1], &io) < 0) abort();
  is_int(lv_writer_open(&w, &rt, io), 0, "a writer");
  lv_relay_init(&relay, r, w, on_relayed, &over);
  is_int(lv_relay_start(&relay), 0, "a relay between them");
  fill(in[1], 64 * KIB);
  while (lv_fd_unread(out[0]) < 64 * KIB)
    turn();
  is_int(lv_fd_pipe_size(in[1]), MIB, "the first pipe is wide");
  is_int(lv_fd_pipe_size(out[0]), MIB, "the second is wide");
  is_int(rt.wide_pipes, 2, "they are counted");
  lv_fd_close(&in[1]);
  while (!over)
    turn();
  is_int((long long)relay.total, 64 * KIB, "all was moved");
  is_int(rt.wide_pipes, 1, "the first is counted no more");
  lv_reader_free(r);
  lv_writer_release(w);
  is_int(rt.wide_pipes, 0, "nor the second");
  lv_fd_close(&out[0]);
  lv_rt_fini(&rt);
}

int main(void) {
  start_runtime(); /* the first opens what all share */
  lv_rt_fini(&rt);
  run(a_pipe_is_widened_to_a_mebibyte);
  run(a_pipe_that_was_made_bigger_stays_so);
  run(no_more_than_sixteen_are_wide_at_a_time);
  run(a_reader_in_bulk_widens_a_full_pipe_and_gives_it_back);
  run(a_relay_widens_both_its_pipes_and_gives_them_back);
  return tap_done();
}
