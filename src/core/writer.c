/* core/writer.c — See writer.h. */
#include "core/writer.h"

#include "os/fd.h"
#include "os/sock.h"

#include <errno.h>
#include <stdlib.h>

enum { PIPE_SIZE = 65536, OLD_NS = 1000000 };

static void close_fd(lv_writer *w) {
  lv_watch_close(w->watch);
  w->watch = NULL;
  if (w->wide) lv_rt_unwiden(w->rt);
  w->wide = false;
  if (w->ends_by_shutdown && w->io.mode == LV_IO_OWN)
    lv_sock_end_writing(w->io.fd); /* a child's that has it would end, too */
  if (w->job) {
    lv_filejob_abandon(w->job); /* which closes the fd */
    w->job = NULL;
    w->io.fd = -1;
  }
  lv_fd_close(&w->io.fd);
  lv_list_del(&w->link);
  lv_list_del(&w->late);
}

static void drop_queue(lv_writer *w) {
  lv_buf_fini(&w->out);
  w->lent = NULL;
  w->nlent = w->nfile = 0;
}

static void fail(lv_writer *w, ssize_t error) {
  w->error = (int)error;
  drop_queue(w);
  close_fd(w);
}

/* A listener may leave meanwhile, and what it does may call this again. */
static void tell(lv_writer *w) {
  lv_list due, *node;
  lv_list_take(&due, &w->listeners);
  while ((node = lv_list_pop(&due)) != NULL) {
    lv_list_push(&w->listeners, node);
    const lv_listener *l = LV_OF(node, lv_listener, link);
    l->fn(l->arg);
  }
}

static void consume(lv_writer *w, size_t n) {
  size_t own = lv_buf_size(&w->out);
  size_t from_own = n < own ? n : own;
  if (own > 0) lv_buf_consume(&w->out, from_own);
  if (n == from_own) return;
  w->lent += n - from_own;
  w->nlent -= n - from_own;
  if (w->nlent == 0) w->lent = NULL;
}

/* Write until the kernel takes no more: bytes left, or -errno. */
static ssize_t push(lv_writer *w) {
  size_t left;
  while ((left = lv_writer_pending(w)) > 0) {
    size_t own = lv_buf_size(&w->out);
    struct iovec iov[2] = {{own ? lv_buf_bytes(&w->out) : NULL, own},
                           {(char *)w->lent, w->nlent}};
    int first = own == 0, n = own && w->nlent ? 2 : 1;
    ssize_t put = lv_io_writev(&w->io, iov + first, n);
    if (put == -EAGAIN) return (ssize_t)left;
    if (put < 0) return put;
    consume(w, (size_t)put);
  }
  return 0;
}

static void on_writable(void *arg, int events);
static void on_file(void *arg, lv_buf *bytes, ssize_t result);

static int open_watch(lv_writer *w) {
  int rc = lv_watch_open(&w->watch, &w->rt->loop, w->io.fd,
                         lv_io_is_shared(&w->io), on_writable, w);
  if (rc != -EPERM) return rc;
  w->io.mode = LV_IO_FILE;
  return 0;
}

static int hand_over(lv_writer *w) {
  int rc = lv_writer_settle(w);
  if (rc < 0) return rc;
  size_t n = lv_buf_size(&w->out);
  rc = lv_filejob_write(&w->job, &w->rt->loop, w->io.fd, &w->out, on_file, w);
  if (rc == 0) w->nfile = n;
  return rc;
}

/* To wake a thread, and to be woken by it, costs more than to write a line: of
 * the lines that come one after the other some make one job. */
static int start_job(lv_writer *w) {
  size_t n = lv_writer_pending(w);
  if (w->job || n == 0) return 0;
  if (!w->gathers || w->closing || n >= PIPE_SIZE) return hand_over(w);
  if (!lv_list_is_empty(&w->late)) return 0;
  if (lv_list_is_empty(&w->rt->gathering)) w->rt->gathered = uv_hrtime();
  lv_list_push(&w->rt->gathering, &w->late);
  return 0;
}

static bool wants_room(const lv_writer *w) {
  return lv_writer_pending(w) > 0 || w->room_wanted > 0;
}

/* What to watch for while there is nothing to write. An error, as of a pipe
 * that has lost its reader, is told whatever is asked. */
static int idle_events(const lv_writer *w) {
  return w->watching ? UV_PRIORITIZED : 0;
}

/* Watch when something waits. The watch stays until it has found nothing to do
 * once: whoever writes much soon writes again. */
static int update(lv_writer *w) {
  if (w->io.fd < 0 || !(wants_room(w) || w->watching)) return 0;
  if (w->watch == NULL && w->io.mode != LV_IO_FILE) {
    int rc = open_watch(w);
    if (rc < 0) return rc;
  }
  if (w->io.mode == LV_IO_FILE) return start_job(w);
  return lv_watch_set(w->watch, wants_room(w) ? UV_WRITABLE : idle_events(w));
}

static void free_if_done(lv_writer *w) {
  if (!w->released || w->io.fd >= 0) return;
  lv_buf_fini(&w->out);
  free(w);
}

/* Some of the queue is written, or `error`: go on, or close, and tell. */
static void settle_state(lv_writer *w, ssize_t error) {
  if (error >= 0) error = update(w);
  if (error < 0) fail(w, error);
  if (w->io.fd >= 0 && w->closing && lv_writer_pending(w) == 0) close_fd(w);
  if (w->released)
    free_if_done(w);
  else
    tell(w);
}

/* Nobody has let go of a writer that gathers: then it starts at once. */
void lv_writers_start(lv_rt *rt) {
  lv_list *node;
  while ((node = lv_list_pop(&rt->gathering)) != NULL) {
    lv_writer *w = LV_OF(node, lv_writer, late);
    int rc = w->job ? 0 : hand_over(w);
    if (rc == 0) continue;
    fail(w, rc);
    tell(w);
  }
}

void lv_writers_start_old(lv_rt *rt) {
  if (lv_list_is_empty(&rt->gathering)) return;
  if (uv_hrtime() - rt->gathered >= OLD_NS) lv_writers_start(rt);
}

/* A terminal that no program has open any more takes nothing and does not say
 * so, but wakes us for ever. */
static ssize_t push_on(lv_writer *w) {
  ssize_t before = (ssize_t)lv_writer_pending(w), left = push(w);
  bool stuck = left > 0 && left == before && lv_fd_has_lost_reader(w->io.fd);
  return stuck ? -EPIPE : left;
}

static void on_writable(void *arg, int events) {
  lv_writer *w = arg;
  (void)events;
  if (wants_room(w)) {
    settle_state(w, push_on(w));
  } else if (w->watching && lv_fd_has_lost_reader(w->io.fd)) {
    w->lost = lv_fd_kind_of(w->io.fd) == LV_FD_PIPE;
    settle_state(w, w->lost ? -EPIPE : -ECONNRESET);
  } else {
    lv_watch_set(w->watch, idle_events(w));
  }
}

/* The memory serves again. */
static void on_file(void *arg, lv_buf *bytes, ssize_t result) {
  lv_writer *w = arg;
  w->job = NULL;
  w->nfile = 0;
  if (w->out.cap == 0) {
    w->out = *bytes;
    *bytes = (lv_buf){0};
  }
  settle_state(w, result);
}

int lv_writer_open(lv_writer **out, lv_rt *rt, lv_io io) {
  lv_writer *w = calloc(1, sizeof *w);
  if (w == NULL) return -ENOMEM;
  w->rt = rt;
  w->io = io;
  lv_list_init(&w->link);
  lv_list_init(&w->late);
  lv_list_init(&w->listeners);
  *out = w;
  return 0;
}

/* After the queue got longer: 0 or -errno, as the public functions. */
static int go_on(lv_writer *w, bool was_idle) {
  ssize_t rc = 0;
  if (was_idle && w->io.mode != LV_IO_FILE) rc = push(w);
  if (rc > PIPE_SIZE && w->may_widen) {
    w->may_widen = false;
    w->wide = lv_rt_widen(w->rt, w->io.fd);
  }
  if (rc >= 0) rc = update(w);
  if (rc == 0) return 0;
  fail(w, rc);
  tell(w);
  return (int)rc;
}

int lv_writer_lend(lv_writer *w, const char *bytes, size_t n) {
  if (w->error < 0) return w->error;
  if (w->io.fd < 0 || w->closing) return -EBADF;
  bool was_idle = lv_writer_pending(w) == 0;
  int rc = lv_writer_settle(w);
  if (rc < 0) return rc;
  w->lent = bytes;
  w->nlent = n;
  return go_on(w, was_idle);
}

/* The lender keeps nothing any more: copy what is lent, or lose it. */
static int settle_or_drop(lv_writer *w) {
  int rc = lv_writer_settle(w);
  w->lent = NULL;
  w->nlent = 0;
  return rc;
}

/* What is written at once is not copied. */
int lv_writer_put(lv_writer *w, const char *bytes, size_t n) {
  int rc = lv_writer_lend(w, bytes, n);
  return rc < 0 ? rc : settle_or_drop(w);
}

int lv_writer_settle(lv_writer *w) {
  int rc = lv_buf_append(&w->out, w->lent, w->nlent);
  if (rc < 0) return rc;
  w->lent = NULL;
  w->nlent = 0;
  return 0;
}

void lv_writer_close(lv_writer *w) {
  if (w->closing || w->io.fd < 0) return;
  w->closing = true;
  if (lv_writer_pending(w) == 0)
    close_fd(w);
  else
    lv_list_push(&w->rt->writers, &w->link);
  if (!lv_list_is_empty(&w->late)) lv_writers_start(w->rt);
  tell(w);
}

void lv_writer_abort(lv_writer *w) {
  if (w->io.fd < 0) return;
  w->closing = true;
  if (lv_writer_pending(w) > 0)
    fail(w, -EBADF);
  else
    close_fd(w);
  tell(w);
}

void lv_writer_release(lv_writer *w) {
  settle_or_drop(w);
  lv_writer_close(w);
  w->released = true;
  free_if_done(w);
}

void lv_writer_listen(lv_writer *w, lv_listener *l) {
  l->wants_room = false;
  lv_list_push(&w->listeners, &l->link);
}

void lv_writer_unlisten(lv_writer *w, lv_listener *l) {
  lv_list_del(&l->link);
  lv_writer_want_room(w, l, false);
}

int lv_writer_want_room(lv_writer *w, lv_listener *l, bool on) {
  if (l->wants_room == on) return 0;
  l->wants_room = on;
  w->room_wanted += on ? 1 : -1;
  return update(w);
}

int lv_writer_watch_loss(lv_writer *w) {
  if (w->io.fd < 0) return 0;
  int kind = lv_fd_kind_of(w->io.fd);
  if (kind != LV_FD_PIPE && kind != LV_FD_SOCKET) return 0;
  w->watching = true;
  return update(w);
}
