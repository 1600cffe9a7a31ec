/* core/watch.c — A uv_poll_t with a lifetime of its own.
 *
 * uv_poll_init makes its descriptor non-blocking, which others would feel who
 * share the file description (our stdout is our caller's stdout). A shared one
 * is therefore put into an epoll set of its own, and that set is watched. */
#include "core/watch.h"

#include "os/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

struct lv_watch {
  uv_poll_t poll;
  lv_watch_fn fn;
  void *arg;
  int fd;     /* that is watched */
  int nested; /* the epoll set around a shared fd, else -1 */
  int events;
};

static void on_close(uv_handle_t *handle) {
  lv_watch *w = handle->data;
  lv_fd_close(&w->nested);
  free(w);
}

/* On an error condition libuv stops the handle itself before it says so. */
static void on_poll(uv_poll_t *poll, int status, int events) {
  lv_watch *w = poll->data;
  int asked = w->events;
  if (status < 0) w->events = 0;
  bool all = status < 0 || w->nested >= 0;
  w->fn(w->arg, all ? asked : events & asked);
}

static int nested_set(lv_watch *w, int op, int events) {
  struct epoll_event ev = {0};
  if (events & UV_READABLE) ev.events |= EPOLLIN;
  if (events & UV_WRITABLE) ev.events |= EPOLLOUT;
  return epoll_ctl(w->nested, op, w->fd, &ev) < 0 ? -errno : 0;
}

static int open_nested(lv_watch *w) {
  w->nested = epoll_create1(EPOLL_CLOEXEC);
  if (w->nested < 0) return -errno;
  int rc = nested_set(w, EPOLL_CTL_ADD, 0);
  if (rc < 0) lv_fd_close(&w->nested);
  return rc;
}

int lv_watch_open(lv_watch **out, uv_loop_t *loop, int fd, bool shared,
                  lv_watch_fn fn, void *arg) {
  lv_watch *w = malloc(sizeof *w);
  if (w == NULL) return -ENOMEM;
  *w = (lv_watch){.fn = fn, .arg = arg, .fd = fd, .nested = -1};
  int rc = shared ? open_nested(w) : 0;
  if (rc == 0) rc = uv_poll_init(loop, &w->poll, shared ? w->nested : fd);
  if (rc < 0) {
    lv_fd_close(&w->nested);
    free(w);
    return rc;
  }
  w->poll.data = w;
  *out = w;
  return 0;
}

int lv_watch_set(lv_watch *w, int events) {
  if (events == w->events) return 0;
  w->events = events;
  if (w->nested >= 0) {
    int rc = nested_set(w, EPOLL_CTL_MOD, events);
    if (rc < 0) return rc;
    if (events != 0) events = UV_READABLE;
  }
  return events == 0 ? uv_poll_stop(&w->poll)
                     : uv_poll_start(&w->poll, events, on_poll);
}

/* uv_close takes it out of the loop's set, and with the nested set what that
 * was for. To stop it first would be one more epoll_ctl in vain. */
void lv_watch_close(lv_watch *w) {
  if (w == NULL) return;
  if (w->nested >= 0) lv_watch_set(w, 0);
  uv_close((uv_handle_t *)&w->poll, on_close);
}
