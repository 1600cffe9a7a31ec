/* core/reader.h — The reading end of a pipe, terminal, socket or file, with a
 * buffer before it.
 *
 * Nothing is read before somebody first needs something. From then on it reads
 * ahead up to `limit` bytes, or as many more as are needed, and then pauses: a
 * fast child waits in its write, and our memory stays bounded. */
#ifndef LV_CORE_READER_H
#define LV_CORE_READER_H

#include "base/buf.h"
#include "core/filejob.h"
#include "core/io.h"
#include "core/runtime.h"
#include "core/watch.h"

#include <stdbool.h>
#include <stddef.h>

enum { LV_READER_LIMIT = 256 * 1024 };

typedef struct lv_reader lv_reader;

/* Bytes came, or the end, or an error. May close the reader. */
typedef void (*lv_reader_fn)(lv_reader *r, void *arg);

struct lv_reader {
  lv_rt *rt;
  lv_io io; /* io.fd is -1 after the end, an error or close */
  lv_watch *watch;
  lv_filejob *job;
  lv_buf buf;     /* what was read and not taken */
  size_t limit;   /* read ahead so far, at least 1 */
  size_t need;    /* … or so far, if somebody waits for that many */
  int error;      /* -errno of the read that failed; final */
  bool eof;       /* nothing will come after what is in buf */
  bool started;   /* something has been asked for */
  bool paused;    /* was full, and not half of it is taken yet */
  bool held;      /* nothing is to be read for now */
  bool bulk;      /* take as much as comes, in big pieces */
  bool may_widen; /* a pipe of ours that may be made bigger */
  bool wide;
  lv_reader_fn fn;
  void *arg;
  void (*hook)(void *arg); /* it can be read: called instead of doing so */
  void *hook_arg;
};

/* Takes over io.fd; on failure it stays the caller's. An io without a
 * descriptor (-1) makes a reader that is fed. 0 or -errno. */
int lv_reader_open(lv_reader **out, lv_rt *rt, lv_io io, size_t limit);

/* Read on until the buffer holds n bytes (SIZE_MAX: to the end). n smaller than
 * before lowers it again. 0 or -errno. */
int lv_reader_need(lv_reader *r, size_t n);

/* Look again whether to read on: after buf or the limit has changed. */
int lv_reader_update(lv_reader *r);

/* n bytes of buf are taken; reading goes on if it had paused for them. */
static inline void lv_reader_consume(lv_reader *r, size_t n) {
  lv_buf_consume(&r->buf, n);
  if (r->paused && lv_buf_size(&r->buf) <= r->limit / 2) lv_reader_update(r);
}

/* All is there that will ever come. */
static inline bool lv_reader_is_done(const lv_reader *r) {
  return r->eof || r->error < 0;
}

void lv_reader_stop(lv_reader *r); /* close the fd; what is buffered stays */
void lv_reader_free(lv_reader *r);

/* Bytes, and the end, from elsewhere than the fd: as if they had been read. The
 * end closes the fd; what is buffered stays. 0 or -errno, -EPIPE: after the
 * end. */
int lv_reader_feed(lv_reader *r, const char *bytes, size_t n);
void lv_reader_feed_eof(lv_reader *r);

/* Read nothing for now, whoever waits; or go on. 0 or -errno. */
int lv_reader_hold(lv_reader *r, bool on);

/* r, which has been fed, goes on with all that `from` had. 0, -EBUSY: r has an
 * fd already or has ended, or from is busy; or another -errno. */
int lv_reader_attach(lv_reader *r, lv_reader *from);

/* For who moves the bytes himself (core/relay.c): call hook each time the fd is
 * ready, while `on`. hook NULL: as before. 0 or -errno. */
int lv_reader_hook(lv_reader *r, void (*hook)(void *arg), void *arg, bool on);

#endif
