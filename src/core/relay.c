/* core/relay.c — See relay.h.
 *
 * First what the reader has buffered already, through the writer's queue. Then,
 * if both are pipes or sockets of our own, the relay takes over the reader's
 * watch: it waits for input, and when splice(2) says EAGAIN although there is
 * some, for room. While others have bytes in the writer's queue it waits for
 * those to go.
 *
 * Files go through the buffers. A splice would wait for the disk, and so would
 * the loop; and it moves the file's offset without the lock that read(2) and
 * write(2) take, so that what others write who share it could be lost. */
#include "core/relay.h"

#include "os/fd.h"

#include <errno.h>

enum { PIECE = 1 << 20, TURN = 4 << 20, HIGH_WATER = 64 * 1024 };

static void finish(lv_relay *relay, int error) {
  if (!relay->running) return;
  relay->error = error;
  lv_relay_stop(relay);
  relay->fn(relay, relay->arg);
}

/* ---- in the kernel ---- */

typedef enum { NOTHING, INPUT, ROOM } wait_for;

static void on_readable(void *arg);

static void await(lv_relay *relay, wait_for what) {
  int rc = lv_reader_hook(relay->r, on_readable, relay, what == INPUT);
  if (rc == 0)
    rc = lv_writer_want_room(relay->w, &relay->listener, what == ROOM);
  if (rc < 0) finish(relay, rc);
}

static bool is_pipe_or_socket(const lv_io *io) {
  if (io->fd < 0 || io->mode != LV_IO_OWN) return false;
  int kind = lv_fd_kind_of(io->fd);
  return kind == LV_FD_PIPE || kind == LV_FD_SOCKET;
}

/* One of the two must be a pipe (splice(2)). */
static bool can_splice(const lv_relay *relay) {
  const lv_io *in = &relay->r->io, *out = &relay->w->io;
  return is_pipe_or_socket(in) && is_pipe_or_socket(out) &&
         (lv_fd_kind_of(in->fd) == LV_FD_PIPE ||
          lv_fd_kind_of(out->fd) == LV_FD_PIPE);
}

static bool widen(lv_rt *rt, int fd) {
  return lv_fd_kind_of(fd) == LV_FD_PIPE && lv_rt_widen(rt, fd);
}

/* A pipe was full: both may be bigger from now on. */
static void widen_both(lv_relay *relay) {
  lv_reader *r = relay->r;
  lv_writer *w = relay->w;
  relay->may_widen = false;
  if (!r->wide) r->wide = widen(r->rt, r->io.fd);
  if (!w->wide) w->wide = widen(w->rt, w->io.fd);
}

static void go_on(lv_relay *relay);

static void stop_splicing(lv_relay *relay, ssize_t result) {
  if (result == -EINVAL) { /* of a kind that has no splice */
    relay->splices = false;
    await(relay, NOTHING);
    lv_reader_hook(relay->r, NULL, NULL, false);
    go_on(relay);
    return;
  }
  if (result == 0) {
    relay->r->eof = true;
    lv_reader_stop(relay->r);
  }
  finish(relay, (int)result);
}

/* input: it is known to be there, so that EAGAIN means no room. */
static void splice_on(lv_relay *relay, bool input) {
  if (lv_writer_pending(relay->w) > 0) {
    await(relay, NOTHING);
    return;
  }
  size_t moved = 0;
  while (moved < TURN) {
    ssize_t n = lv_fd_splice(relay->r->io.fd, relay->w->io.fd, PIECE);
    if (n == -EAGAIN && moved == 0) input = !input;
    if (n == -EAGAIN) break;
    if (n <= 0) {
      stop_splicing(relay, n);
      return;
    }
    if (n == HIGH_WATER && relay->may_widen) widen_both(relay);
    moved += (size_t)n;
    relay->total += (uint64_t)n;
  }
  await(relay, input ? INPUT : ROOM);
}

static void on_readable(void *arg) {
  splice_on(arg, true);
}

/* ---- through the buffers ---- */

/* As much as the writer's queue may hold. */
static void pump(lv_relay *relay) {
  lv_reader *r = relay->r;
  size_t size = lv_buf_size(&r->buf);
  if (size == 0 || lv_writer_pending(relay->w) > HIGH_WATER) return;
  int rc = lv_writer_put(relay->w, lv_buf_bytes(&r->buf), size);
  if (rc < 0) {
    finish(relay, rc);
    return;
  }
  relay->total += size;
  lv_reader_consume(r, size);
}

static void go_on(lv_relay *relay) {
  lv_reader *r = relay->r;
  const lv_writer *w = relay->w;
  if (!relay->running) return;
  if (w->error < 0 || w->closing) {
    finish(relay, w->error < 0 ? w->error : -EBADF);
    return;
  }
  pump(relay);
  if (!relay->running || lv_buf_size(&r->buf) > 0) return;
  if (lv_reader_is_done(r)) {
    if (lv_writer_pending(w) == 0) finish(relay, r->error);
  } else if (relay->splices) {
    splice_on(relay, false);
  } else {
    int rc = lv_reader_need(r, 1);
    if (rc < 0) finish(relay, rc);
  }
}

static void on_input(lv_reader *r, void *arg) {
  (void)r;
  go_on(arg);
}

static void on_progress(void *arg) {
  go_on(arg);
}

/* ---- start and end ---- */

void lv_relay_init(lv_relay *relay, lv_reader *r, lv_writer *w, lv_relay_fn fn,
                   void *arg) {
  *relay = (lv_relay){.r = r, .w = w, .fn = fn, .arg = arg, .may_widen = true};
  relay->listener.fn = on_progress;
  relay->listener.arg = relay;
}

static void on_first_turn(lv_timer *timer) {
  go_on(LV_OF(timer, lv_relay, first_turn));
}

/* The first piece is moved from the loop, as all others: fn is never called
 * before start has returned. */
int lv_relay_start(lv_relay *relay) {
  relay->first_turn.fn = on_first_turn;
  int rc = lv_timer_start(&relay->r->rt->timers, &relay->first_turn, 0);
  if (rc < 0) return rc;
  relay->running = true;
  relay->splices = can_splice(relay);
  relay->saved_fn = relay->r->fn;
  relay->saved_arg = relay->r->arg;
  relay->r->fn = on_input;
  relay->r->arg = relay;
  lv_writer_listen(relay->w, &relay->listener);
  return 0;
}

void lv_relay_stop(lv_relay *relay) {
  if (!relay->running) return;
  relay->running = false;
  lv_timer_stop(&relay->r->rt->timers, &relay->first_turn);
  relay->r->fn = relay->saved_fn;
  relay->r->arg = relay->saved_arg;
  lv_writer_unlisten(relay->w, &relay->listener);
  relay->r->need = 0;
  lv_reader_hook(relay->r, NULL, NULL, false);
}
