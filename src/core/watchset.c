/* core/watchset.c — See watchset.h.
 *
 * Each is told once (EPOLLONESHOT) and armed again if it is wanted still. So to
 * want it no more costs no call, and nothing can fail after it was added: to
 * arm is to modify, for which the kernel needs no memory. */
#include "core/watchset.h"

#include "os/fd.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>

static int control(const lv_spot *spot, int op) {
  struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT,
                           .data.ptr = (void *)spot};
  return epoll_ctl(spot->set->fd, op, spot->fd, &ev) < 0 ? -errno : 0;
}

static void arm(lv_spot *spot) {
  if (!spot->armed && spot->wanted)
    spot->armed = control(spot, EPOLL_CTL_MOD) == 0;
}

static void tell(lv_watchset *s, int i) {
  const lv_spot *spot = s->batch[i];
  if (spot->wanted) spot->fn(spot->arg);
  lv_spot *left = s->batch[i]; /* NULL: fn has turned it off, and freed it */
  if (left == NULL) return;
  left->told = 0;
  arm(left);
}

/* Whom one turn does not tell, as there are so many, the next one does: the set
 * stays readable. */
static void on_ready(uv_poll_t *poll, int status, int events) {
  lv_watchset *s = poll->data;
  struct epoll_event ready[LV_WATCHSET_BATCH];
  (void)status, (void)events;
  int n = epoll_wait(s->fd, ready, LV_WATCHSET_BATCH, 0);
  for (int i = 0; i < n; i++) {
    s->batch[i] = ready[i].data.ptr;
    s->batch[i]->told = i + 1;
    s->batch[i]->armed = false;
  }
  for (int i = 0; i < n; i++)
    if (s->batch[i]) tell(s, i);
}

int lv_watchset_open(lv_watchset *s, uv_loop_t *loop) {
  *s = (lv_watchset){.fd = epoll_create1(EPOLL_CLOEXEC)};
  if (s->fd < 0) return -errno;
  int rc = uv_poll_init(loop, &s->poll, s->fd);
  if (rc < 0) {
    lv_fd_close(&s->fd);
    return rc;
  }
  s->poll.data = s;
  uv_poll_start(&s->poll, UV_READABLE, on_ready);
  uv_unref((uv_handle_t *)&s->poll);
  return 0;
}

void lv_watchset_close(lv_watchset *s) {
  assert(s->wanted == 0);
  uv_close((uv_handle_t *)&s->poll, NULL);
}

void lv_watchset_fini(lv_watchset *s) {
  lv_fd_close(&s->fd);
}

static void count(lv_spot *spot, bool wanted) {
  lv_watchset *s = spot->set;
  if (spot->wanted == wanted) return;
  spot->wanted = wanted;
  if (wanted && s->wanted++ == 0) uv_ref((uv_handle_t *)&s->poll);
  if (!wanted && --s->wanted == 0) uv_unref((uv_handle_t *)&s->poll);
}

int lv_spot_on(lv_spot *spot, lv_watchset *s, int fd) {
  spot->set = s;
  spot->fd = fd;
  spot->wanted = false;
  spot->told = 0;
  spot->armed = true;
  int rc = control(spot, EPOLL_CTL_ADD);
  if (rc < 0)
    spot->set = NULL;
  else
    count(spot, true);
  return rc;
}

void lv_spot_off(lv_spot *spot) {
  if (spot->set == NULL) return;
  count(spot, false);
  control(spot, EPOLL_CTL_DEL);
  if (spot->told > 0) spot->set->batch[spot->told - 1] = NULL;
  spot->told = 0;
  spot->set = NULL;
}

void lv_spot_want(lv_spot *spot, bool wanted) {
  if (spot->set == NULL) return;
  count(spot, wanted);
  if (spot->told == 0) arm(spot);
}
