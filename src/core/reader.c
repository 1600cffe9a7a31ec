/* core/reader.c — See reader.h.
 *
 * Each wake-up reads with readv into the buffer's free room and, behind it,
 * into a scratch area shared by all readers: a quiet stream needs no big
 * buffer, a loud one needs few calls. A reader that is full keeps its watch
 * until that says once more that there is something: most have been emptied by
 * then, and the kernel need not be told twice. */
#include "core/reader.h"

#include "os/fd.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum {
  MOST = 256 * 1024, /* that one read asks for */
  TURN = 1 << 20,    /* bytes after which the other streams get a turn */
  PIPE_SIZE = 65536, /* a pipe's size unless somebody changed it */
  LOUD = 32 * 1024   /* bytes after which a read in bulk gets all its room */
};

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* How many bytes to read now. Once full it waits until half is taken: no call
 * for every line. Who needs one byte more than the limit looks for something
 * in the text, and that may be far: as much again. */
static size_t wanted(const lv_reader *r) {
  if (!r->started || r->held || r->io.fd < 0) return 0;
  size_t size = lv_buf_size(&r->buf), n = 0;
  bool needed = size < r->need;
  if (size < r->limit && (needed || !r->paused || size <= r->limit / 2))
    n = r->limit - size;
  if (needed && r->need - size > n) n = r->need - size;
  if (n == 1 && size >= r->limit) n = size;
  return least(n, r->bulk ? TURN : MOST);
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
 * have lost: that is the end (pty(7)). Of all else it is an error. */
static bool may_be_terminal(const lv_reader *r) {
  int kind = lv_fd_kind_of(r->io.fd);
  return kind == LV_FD_TTY || kind == LV_FD_OTHER;
}

static void end(lv_reader *r, ssize_t result) {
  if (result == 0 || (result == -EIO && may_be_terminal(r)))
    r->eof = true;
  else
    r->error = (int)result;
  lv_reader_stop(r);
}

/* Bytes read, at most n; 0 at the end, or -errno. */
static ssize_t fill(lv_reader *r, size_t n) {
  lv_buf *b = &r->buf;
  lv_buf_compact(b);
  if (r->bulk && lv_buf_size(b) >= LOUD && lv_buf_reserve(b, n) < 0)
    return -ENOMEM;
  size_t room = least(lv_buf_room(b), n);
  struct iovec iov[2] = {
      {room > 0 ? b->data + b->tail : NULL, room},
      {r->rt->scratch, least(sizeof r->rt->scratch, n - room)}};
  int first = room == 0, count = room > 0 && room < n ? 2 : 1;
  ssize_t got = lv_io_readv(&r->io, iov + first, count);
  if (got <= 0) return got;
  size_t inside = least((size_t)got, room);
  b->tail += inside;
  int rc = lv_buf_append(b, r->rt->scratch, (size_t)got - inside);
  return rc < 0 ? rc : got;
}

static void widen(lv_reader *r) {
  r->may_widen = false;
  r->wide = lv_rt_widen(r->rt, r->io.fd);
}

/* After what may have changed the buffer: go on, and say so. */
static void settle(lv_reader *r, bool news) {
  int rc = lv_reader_update(r);
  if (rc < 0) end(r, rc);
  if ((news || rc < 0) && r->fn) r->fn(r, r->arg);
}

static void on_readable(void *arg, int events) {
  lv_reader *r = arg;
  (void)events;
  if (r->hook) {
    r->hook(r->hook_arg);
    return;
  }
  size_t total = 0, n = wanted(r);
  ssize_t got = -EAGAIN;
  if (n == 0) lv_watch_set(r->watch, 0);
  while (n > 0) {
    got = fill(r, n);
    if (got > 0) total += (size_t)got;
    if (got < PIPE_SIZE || total >= TURN) break;
    if (r->may_widen && r->bulk) widen(r);
    n = wanted(r);
  }
  bool over = got <= 0 && got != -EAGAIN;
  if (over) end(r, got);
  settle(r, over || total > 0);
}

static void on_file(void *arg, lv_buf *bytes, ssize_t result) {
  lv_reader *r = arg;
  r->job = NULL;
  if (result > 0 && lv_buf_size(&r->buf) == 0) {
    lv_buf old = r->buf;
    r->buf = *bytes;
    *bytes = old;
  } else if (result > 0) {
    int rc = lv_buf_append(&r->buf, lv_buf_bytes(bytes), (size_t)result);
    if (rc < 0) result = rc;
  }
  if (result <= 0) end(r, result);
  settle(r, true);
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
  size_t n = wanted(r);
  r->paused = n == 0 && r->started && r->io.fd >= 0;
  if (n == 0) return 0;
  if (r->watch == NULL && r->io.mode != LV_IO_FILE) {
    int rc = open_watch(r);
    if (rc < 0) return rc;
  }
  if (r->watch) return lv_watch_set(r->watch, UV_READABLE);
  if (r->job) return 0;
  return lv_filejob_read(&r->job, &r->rt->loop, r->io.fd, n, on_file, r);
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

int lv_reader_feed(lv_reader *r, const char *bytes, size_t n) {
  if (lv_reader_is_done(r)) return -EPIPE;
  int rc = lv_buf_append(&r->buf, bytes, n);
  if (rc == 0 && n > 0) settle(r, true);
  return rc;
}

void lv_reader_feed_eof(lv_reader *r) {
  if (lv_reader_is_done(r)) return;
  end(r, 0);
  settle(r, true);
}

int lv_reader_hold(lv_reader *r, bool on) {
  r->held = on;
  return lv_reader_update(r);
}

int lv_reader_attach(lv_reader *r, lv_reader *from) {
  if (r->io.fd >= 0 || lv_reader_is_done(r)) return -EBUSY;
  if (from->job || from->hook) return -EBUSY;
  size_t n = lv_buf_size(&from->buf);
  int rc = n > 0 ? lv_buf_append(&r->buf, lv_buf_bytes(&from->buf), n) : 0;
  if (rc < 0) return rc;
  lv_buf_consume(&from->buf, n);
  lv_watch_close(from->watch);
  from->watch = NULL;
  r->io = from->io;
  r->eof = from->eof;
  r->error = from->error;
  r->wide = from->wide;
  from->io.fd = -1;
  from->wide = false;
  r->started = true;
  settle(r, true);
  return 0;
}
