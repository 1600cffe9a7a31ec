/* core/filejob.h — One read or write of a file, done by libuv's threads. */
#ifndef LV_CORE_FILEJOB_H
#define LV_CORE_FILEJOB_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

typedef struct lv_filejob lv_filejob;

/* result: bytes, or -errno. The bytes are data[0..result) of a read. */
typedef void (*lv_filejob_fn)(void *arg, const char *data, ssize_t result);

/* At the file's current offset. A write copies its bytes. 0 or -errno. */
int lv_filejob_read(lv_filejob **out, uv_loop_t *loop, int fd, size_t n,
                    lv_filejob_fn fn, void *arg);
int lv_filejob_write(lv_filejob **out, uv_loop_t *loop, int fd,
                     const char *bytes, size_t n, lv_filejob_fn fn, void *arg);

/* fn is not called any more, and the job closes the fd when it is done with
 * it: a thread may be using it now. */
void lv_filejob_abandon(lv_filejob *job);

#endif
