/* core/filejob.h — Reads and writes of files, done by libuv's threads. */
#ifndef LV_CORE_FILEJOB_H
#define LV_CORE_FILEJOB_H

#include "base/buf.h"

#include <stddef.h>
#include <uv.h>

typedef struct lv_filejob lv_filejob;

/* result: of a read the number of bytes, 0 at the end; of a write 0; or -errno.
 * `bytes` is the job's: what was read, or memory that is free now. It may be
 * exchanged for another, which is freed instead. */
typedef void (*lv_filejob_fn)(void *arg, lv_buf *bytes, ssize_t result);

/* Read up to n bytes at the file's current offset. 0 or -errno. */
int lv_filejob_read(lv_filejob **out, uv_loop_t *loop, int fd, size_t n,
                    lv_filejob_fn fn, void *arg);

/* Write all of `bytes`, which are taken over and left empty. 0 or -errno. */
int lv_filejob_write(lv_filejob **out, uv_loop_t *loop, int fd, lv_buf *bytes,
                     lv_filejob_fn fn, void *arg);

/* fn is not called any more, and the job closes the fd when it is done with
 * it: a thread may be using it now. */
void lv_filejob_abandon(lv_filejob *job);

#endif
