/* core/relay.c — See relay.h.
 *
 * First what the reader has buffered already, through the writer's queue. Then,
 * if both are descriptions of our own and the kernel splices between them, the
 * relay takes over their watches: it waits for input, and when splice(2) says
 * EAGAIN although there is some, for room. Files go through the buffers: a
 * splice would wait for the disk, and so would the loop. */
#include "core/relay.h"

#include "os/fd.h"

#include <errno.h>

enum { PIECE = 1 << 20, TURN = 4 << 20, HIGH_WATER = 64 * 1024 };

static void finish(lv_relay *relay, int error) {
  relay->error = error;
  lv_relay_stop(relay);
  relay->fn(relay, relay->arg);
}

static void on_readable(void *arg);
static void on_writable(void *arg);

static void wait_for(lv_relay *relay, bool input) {
  int rc = lv_reader_hook(relay->r, on_readable, relay, input);
  if (rc == 0) rc = lv_writer_hook(relay->w, on_writable, relay, !input);
  if (rc < 0) finish(relay, rc);
}

static void widen(lv_relay *relay) {
  lv_reader *r = relay->r;
  lv_writer *w = relay->w;
  if (!r->wide && lv_fd_kind_of(r->io.fd) == LV_FD_PIPE)
    r->wide = lv_rt_widen(r->rt, r->io.fd);
  if (!w->wide && lv_fd_kind_of(w->io.fd) == LV_FD_PIPE)
    w->wide = lv_rt_widen(w->rt, w->io.fd);
}

/* input: it is known to be there, so that EAGAIN means no room. */
static void move(lv_relay *relay, bool input) {
  for (size_t moved = 0; moved < TURN;) {
    ssize_t n = lv_fd_splice(relay->r->io.fd, relay->w->io.fd, PIECE);
    if (n == -EAGAIN) {
      wait_for(relay, moved > 0 ? input : !input);
      return;
    }
    if (n <= 0) {
      if (n == 0 || n == -EIO) {
        relay->r->eof = true;
        lv_reader_stop(relay->r);
      }
      finish(relay, n == -EIO ? 0 : (int)n);
      return;
    }
    if (n == HIGH_WATER) widen(relay);
    moved += (size_t)n;
    relay->total += (uint64_t)n;
  }
  wait_for(relay, input);
}

static void on_readable(void *arg) {
  move(arg, true);
}

static void on_writable(void *arg) {
  move(arg, false);
}

static bool can_splice(const lv_relay *relay) {
  const lv_io *in = &relay->r->io, *out = &relay->w->io;
  if (in->mode != LV_IO_OWN || out->mode != LV_IO_OWN) return false;
  if (in->fd < 0 || out->fd < 0) return false;
  int from = lv_fd_kind_of(in->fd), to = lv_fd_kind_of(out->fd);
  bool ends = (from == LV_FD_PIPE && to == LV_FD_PIPE) ||
              (from == LV_FD_PIPE && to == LV_FD_SOCKET) ||
              (from == LV_FD_SOCKET && to == LV_FD_PIPE);
  return ends;
}

/* Through the buffer: as much as the writer's queue may hold. */
static void pump(lv_relay *relay) {
  lv_reader *r = relay->r;
  lv_writer *w = relay->w;
  size_t size = lv_buf_size(&r->buf);
  if (w->error < 0 || w->closing) {
    finish(relay, w->error < 0 ? w->error : -EBADF);
    return;
  }
  if (lv_writer_pending(w) > HIGH_WATER) return; /* its progress calls us */
  if (size > 0) {
    int rc = lv_writer_put(w, lv_buf_bytes(&r->buf), size);
    if (rc < 0) {
      finish(relay, rc);
      return;
    }
    relay->total += size;
    lv_reader_consume(r, size);
  }
  if (lv_writer_pending(w) > 0) return;
  if (lv_reader_is_done(r))
    finish(relay, r->error);
  else if (can_splice(relay))
    wait_for(relay, true);
}

static void on_input(lv_reader *r, void *arg) {
  (void)r;
  pump(arg);
}

static void on_progress(lv_writer *w, void *arg) {
  (void)w;
  pump(arg);
}

void lv_relay_init(lv_relay *relay, lv_reader *r, lv_writer *w, lv_relay_fn fn,
                   void *arg) {
  *relay = (lv_relay){.r = r, .w = w, .fn = fn, .arg = arg};
  relay->saved_reader_fn = r->fn;
  relay->saved_reader_arg = r->arg;
  relay->saved_writer_fn = w->fn;
  relay->saved_writer_arg = w->arg;
}

static void on_first_turn(lv_timer *timer) {
  pump(LV_OF(timer, lv_relay, first_turn));
}

/* The first piece is moved from the loop, as all others: fn is never called
 * before start has returned. */
int lv_relay_start(lv_relay *relay) {
  relay->first_turn.fn = on_first_turn;
  int rc = lv_timer_start(&relay->r->rt->timers, &relay->first_turn, 0);
  if (rc < 0) return rc;
  bool splices = can_splice(relay) && lv_buf_size(&relay->r->buf) == 0;
  rc = splices ? 0 : lv_reader_need(relay->r, 1);
  if (rc < 0) {
    lv_timer_stop(&relay->r->rt->timers, &relay->first_turn);
    return rc;
  }
  relay->running = true;
  relay->r->fn = on_input;
  relay->w->fn = on_progress;
  relay->r->arg = relay->w->arg = relay;
  return 0;
}

void lv_relay_stop(lv_relay *relay) {
  if (!relay->running) return;
  relay->running = false;
  lv_timer_stop(&relay->r->rt->timers, &relay->first_turn);
  relay->r->fn = relay->saved_reader_fn;
  relay->r->arg = relay->saved_reader_arg;
  relay->w->fn = relay->saved_writer_fn;
  relay->w->arg = relay->saved_writer_arg;
  lv_reader_hook(relay->r, NULL, NULL, false);
  lv_writer_hook(relay->w, NULL, NULL, false);
}
