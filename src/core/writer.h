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

/* Some of the queue was written, or writing failed. */
typedef void (*lv_writer_fn)(lv_writer *w, void *arg);

struct lv_writer {
  lv_rt *rt;
  lv_list link; /* in rt->writers while it is closed and still flushes */
  lv_io io;     /* io.fd is -1 once it is closed */
  lv_watch *watch;
  lv_filejob *job;
  lv_buf out;       /* the queue, but for */
  const char *lent; /* bytes behind it that the lender keeps */
  size_t nlent;
  size_t nfile; /* bytes that a thread is writing now */
  int error;    /* -errno of the write that failed; final */
  bool closing;
  bool released; /* the owner is gone: free it when the fd is closed */
  bool may_widen, wide;
  lv_writer_fn fn;
  void *arg;
  void (*hook)(void *arg); /* it can be written: called instead of doing so */
  void *hook_arg;
};

/* Takes over io.fd; on failure it stays the caller's. 0 or -errno. */
int lv_writer_open(lv_writer **out, lv_rt *rt, lv_io io);

/* Bytes that the kernel has not taken yet. */
static inline size_t lv_writer_pending(const lv_writer *w) {
  return lv_buf_size(&w->out) + w->nlent + w->nfile;
}

/* Queue a copy. 0 or -errno: what writing failed with, at once or before. */
int lv_writer_put(lv_writer *w, const char *bytes, size_t n);

/* Queue without a copy: the bytes stay as they are until nothing is pending or
 * lv_writer_settle was called. */
int lv_writer_lend(lv_writer *w, const char *bytes, size_t n);
int lv_writer_settle(lv_writer *w); /* copy what is lent; 0 or -ENOMEM */

/* End of file for the reader, after what is queued. Never waits. */
void lv_writer_close(lv_writer *w);
void lv_writer_abort(lv_writer *w); /* now; what is queued is dropped */

/* The owner lets go: closes, and frees it when that is done. */
void lv_writer_release(lv_writer *w);

/* For who moves the bytes himself (core/relay.c): call hook each time the fd is
 * ready, while `on`. hook NULL: as before. 0 or -errno. */
int lv_writer_hook(lv_writer *w, void (*hook)(void *arg), void *arg, bool on);

#endif
