/* core/writer.h — The writing end of a pipe, terminal, socket or file, with a
 * queue before it.
 *
 * What is put is written at once as far as the kernel takes it; the rest waits
 * here. Closing flushes first: nothing put before is lost. */
#ifndef LV_CORE_WRITER_H
#define LV_CORE_WRITER_H

#include "base/buf.h"
#include "base/list.h"
#include "core/filejob.h"
#include "core/io.h"
#include "core/runtime.h"
#include "core/watch.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct lv_writer lv_writer;

/* Who is told that some of the queue was written, that writing failed, that the
 * writer was closed, or that there is room. It may stop listening meanwhile. */
typedef struct {
  lv_list link; /* in writer->listeners */
  void (*fn)(void *arg);
  void *arg;
  bool wants_room;
} lv_listener;

struct lv_writer {
  lv_rt *rt;
  lv_list link; /* in rt->writers while it is closed and still flushes */
  lv_list late; /* in rt->gathering */
  lv_list listeners;
  int room_wanted; /* by how many of them */
  lv_io io;        /* io.fd is -1 once it is closed */
  lv_watch *watch;
  lv_filejob *job;
  lv_buf out;       /* the queue, but for */
  const char *lent; /* bytes behind it that the lender keeps */
  size_t nlent;
  size_t nfile; /* bytes that a thread is writing now */
  int error;    /* -errno of the write that failed; final */
  bool closing;
  bool watching; /* for the loss of its reader, also while nothing is queued */
  bool lost;     /* … of a pipe, which has come while nothing was */
  bool released; /* the owner is gone: free it when the fd is closed */
  bool may_widen, wide;
  bool gathers; /* into a file: lines until the loop is about to wait */
  bool ends_by_shutdown; /* a socket whose other direction has its own fd */
};

/* Takes over io.fd; on failure it stays the caller's. 0 or -errno. */
int lv_writer_open(lv_writer **out, lv_rt *rt, lv_io io);

/* Bytes that the kernel has not taken yet. */
static inline size_t lv_writer_pending(const lv_writer *w) {
  return lv_buf_size(&w->out) + w->nlent + w->nfile;
}

/* Queue a copy. 0 or -errno: what writing failed with, at once or before. */
int lv_writer_put(lv_writer *w, const char *bytes, size_t n);

/* Queue without a copy: the bytes stay as they are until nothing is lent any
 * more or lv_writer_settle has succeeded. */
int lv_writer_lend(lv_writer *w, const char *bytes, size_t n);
int lv_writer_settle(lv_writer *w); /* copy what is lent; 0 or -ENOMEM */

/* The loop is about to wait: hand to threads what was gathered. */
void lv_writers_start(lv_rt *rt);

/* The same if the loop has not waited for a millisecond. */
void lv_writers_start_old(lv_rt *rt);

/* End of file for the reader, after what is queued. Never waits. */
void lv_writer_close(lv_writer *w);

/* Close now. If that drops what is queued, the writer has failed: -EBADF. */
void lv_writer_abort(lv_writer *w);

/* The owner lets go: closes, and frees it when that is done. */
void lv_writer_release(lv_writer *w);

/* From now on notice when nobody reads the pipe any more (-EPIPE), or the
 * socket was reset (-ECONNRESET), also while there is nothing to write. Of
 * other things it cannot be known. 0 or -errno. */
int lv_writer_watch_loss(lv_writer *w);

void lv_writer_listen(lv_writer *w, lv_listener *l);
void lv_writer_unlisten(lv_writer *w, lv_listener *l); /* twice is harmless */

/* Tell l when the fd can be written although nothing is queued (it moves bytes
 * itself: core/relay.c). 0 or -errno. */
int lv_writer_want_room(lv_writer *w, lv_listener *l, bool on);

#endif
