/* core/reader.c — See reader.h.
 *
 * Each wake-up reads with readv into the buffer's free room and, behind it,
 * into a scratch area shared by all readers: a quiet stream needs no big
 * buffer, a loud one needs few calls. */
#include "core/reader.h"

#include "os/fd.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum {
  BULK_ROOM = 256 * 1024, /* room offered to a read in bulk */
  TURN = 1 << 20,         /* bytes after which the other streams get a turn */
  PIPE_SIZE = 65536,      /* a pipe's size unless somebody changed it */
  FILE_PIECE = 256 * 1024
};

static bool wants(const lv_reader *r) {
  if (!r->started || r->io.fd < 0) return false;
  size_t most = r->need > r->limit ? r->need : r->limit;
  return lv_buf_size(&r->buf) < most;
}

void lv_reader_stop(lv_reader *r) {
  lv_watch_close(r->watch);
  r->watch = NULL;
  if (r->wide) lv_rt_unwiden(r->rt);
  r->wide = false;
  if (r->job) {
    lv_filejob_abandon(r->job); /* which closes the fd */
    r->job = NULL;
    r->io.fd = -1;
  }
  lv_fd_close(&r->io.fd);
}

/* A terminal whose other side is gone says EIO, and so do terminals that we
 * have lost: that is the end (pty(7)). */
static void end(lv_reader *r, ssize_t result) {
  if (result == 0 || result == -EIO)
    r->eof = true;
  else
    r->error = (int)result;
  lv_reader_stop(r);
}

static ssize_t fill(lv_reader *r) {
  lv_buf *b = &r->buf;
  if (r->bulk && lv_buf_reserve(b, BULK_ROOM) < 0) return -ENOMEM;
  size_t room = lv_buf_room(b);
  struct iovec iov[2] = {{b->data + b->tail, room},
                         {r->rt->scratch, sizeof r->rt->scratch}};
  int first = room == 0, n = r->bulk || room == 0 ? 1 : 2;
  ssize_t got = lv_io_readv(&r->io, iov + first, n);
  if (got <= 0) return got;
  size_t inside = (size_t)got < room ? (size_t)got : room;
  b->tail += inside;
  int rc = lv_buf_append(b, r->rt->scratch, (size_t)got - inside);
  return rc < 0 ? rc : got;
}

static void widen(lv_reader *r) {
  r->may_widen = false;
  r->wide = lv_rt_widen(r->rt, r->io.fd);
}

static void on_readable(void *arg, int events) {
  lv_reader *r = arg;
  (void)events;
  if (r->hook) {
    r->hook(r->hook_arg);
    return;
  }
  size_t total = 0;
  ssize_t got;
  do {
    got = fill(r);
    if (got > 0) total += (size_t)got;
    if (got >= PIPE_SIZE && r->may_widen && r->bulk) widen(r);
  } while (got >= PIPE_SIZE && total < TURN && wants(r));
  if (got == -EAGAIN && total == 0) return;
  if (got <= 0 && got != -EAGAIN) end(r, got);
  lv_reader_update(r);
  if (r->fn) r->fn(r, r->arg);
}

static void on_file(void *arg, const char *data, ssize_t result) {
  lv_reader *r = arg;
  r->job = NULL;
  if (result > 0) {
    int rc = lv_buf_append(&r->buf, data, (size_t)result);
    if (rc < 0) result = rc;
  }
  if (result <= 0) end(r, result);
  lv_reader_update(r);
  if (r->fn) r->fn(r, r->arg);
}

static int open_watch(lv_reader *r) {
  int rc = lv_watch_open(&r->watch, &r->rt->loop, r->io.fd,
                         lv_io_is_shared(&r->io), on_readable, r);
  if (rc != -EPERM) return rc;
  r->io.mode = LV_IO_FILE; /* /dev/null and its like are always ready */
  return 0;
}

int lv_reader_update(lv_reader *r) {
  if (r->hook) return 0;
  bool read_on = wants(r);
  r->paused = !read_on && r->started && r->io.fd >= 0;
  if (r->watch == NULL && read_on && r->io.mode != LV_IO_FILE) {
    int rc = open_watch(r);
    if (rc < 0) return rc;
  }
  if (r->watch) return lv_watch_set(r->watch, read_on ? UV_READABLE : 0);
  if (!read_on || r->job) return 0;
  return lv_filejob_read(&r->job, &r->rt->loop, r->io.fd, FILE_PIECE, on_file,
                         r);
}

int lv_reader_open(lv_reader **out, lv_rt *rt, lv_io io, size_t limit) {
  lv_reader *r = calloc(1, sizeof *r);
  if (r == NULL) return -ENOMEM;
  r->rt = rt;
  r->io = io;
  r->limit = limit;
  *out = r;
  return 0;
}

int lv_reader_need(lv_reader *r, size_t n) {
  r->started = true;
  r->need = n;
  return lv_reader_update(r);
}

void lv_reader_free(lv_reader *r) {
  lv_reader_stop(r);
  lv_buf_fini(&r->buf);
  free(r);
}

int lv_reader_hook(lv_reader *r, void (*hook)(void *arg), void *arg, bool on) {
  r->hook = hook;
  r->hook_arg = arg;
  if (hook == NULL) return lv_reader_update(r);
  int rc = r->watch ? 0 : open_watch(r);
  if (rc < 0 || r->watch == NULL) return rc;
  return lv_watch_set(r->watch, on ? UV_READABLE : 0);
}
