/* core/watch.h — Be told when a descriptor can be read or written. */
#ifndef LV_CORE_WATCH_H
#define LV_CORE_WATCH_H

#include <stdbool.h>
#include <uv.h>

typedef struct lv_watch lv_watch;

/* `events` has UV_READABLE, UV_WRITABLE or both. An error or hang-up counts as
 * both of what was asked for: the read or write that follows tells. */
typedef void (*lv_watch_fn)(void *arg, int events);

/* The fd stays the caller's and must outlive the watch. `shared`: its file
 * description is others' too and is not made non-blocking. 0 or -errno: -EPERM
 * where there is nothing to wait for (regular files). */
int lv_watch_open(lv_watch **out, uv_loop_t *loop, int fd, bool shared,
                  lv_watch_fn fn, void *arg);

/* Ask for these events from now on, or with 0 for none. 0 or -errno. */
int lv_watch_set(lv_watch *w, int events);

/* fn is never called again; NULL is fine. Close it before the fd: else epoll
 * keeps reporting it as long as a child holds a copy. */
void lv_watch_close(lv_watch *w);

#endif
