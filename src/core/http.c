/* core/http.c — Listening and connections. See http.h; requests are in
 * httpreq.c.
 *
 * The library has no thread and no socket to listen on: we accept, it reads and
 * writes. Its epoll set lies in our loop. While a request is being answered its
 * connection is suspended, and the library does not look at it: then we watch
 * whether the peer leaves. Time limits are ours, as the library's are silence
 * alone: one byte now and then would hold a connection for ever. */
#include "core/httpimpl.h"

#include "os/fd.h"
#include "os/peer.h"
#include "os/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
  BURST = 64, /* connections that are accepted at once */
  TURNS = 8   /* of the library, before others have theirs */
};
static const double REST = 0.05;

/* ---- the library's turn ---- */

/* Its epoll set tells neither what it has left to do nor whom we resumed. */
static void run_soon(lv_http *h) {
  if (!lv_timer_is_running(&h->again))
    lv_timer_start(&h->rt->timers, &h->again, 0);
}

static void run(lv_http *h) {
  MHD_UNSIGNED_LONG_LONG ms;
  for (int i = 0; i < TURNS; i++) {
    h->mhd->run(h->daemon);
    if (h->mhd->get_timeout(h->daemon, &ms) != MHD_YES || ms > 0) return;
  }
  run_soon(h);
}

static void on_again(lv_timer *timer) {
  run(LV_OF(timer, lv_http, again));
}

static void on_ready(void *arg, int events) {
  (void)events;
  run(arg);
}

/* ---- connections ---- */

static void on_impatient(lv_timer *timer) {
  shutdown(LV_OF(timer, lv_http_conn, patience)->fd, SHUT_RDWR);
}

/* Without memory for a timer there is no limit. */
void lv_http_conn_limit(lv_http_conn *c, double seconds) {
  lv_timers *timers = &c->http->rt->timers;
  if (seconds > 0)
    lv_timer_start(timers, &c->patience, seconds);
  else
    lv_timer_stop(timers, &c->patience);
}

/* A peer on a Unix socket may stop sending and still read; of one on the
 * Internet the end of what it sends is all that there is to see. */
static void on_left(void *arg, int events) {
  lv_http_conn *c = arg;
  (void)events;
  lv_watch_set(c->watch, 0);
  if (!c->internet && !lv_peer_has_left(c->fd)) return;
  if (c->req) lv_http_req_leave(c->req);
}

/* An error or hang-up is reported whatever is asked for. */
static void watch_leaving(lv_http_conn *c) {
  int rc = 0;
  if (c->watch == NULL)
    rc = lv_watch_open(&c->watch, &c->http->rt->loop, c->fd, false, on_left, c);
  if (rc == 0)
    lv_watch_set(c->watch, c->internet ? UV_DISCONNECT : UV_PRIORITIZED);
}

void lv_http_conn_suspend(lv_http_conn *c) {
  if (c->suspended) return;
  c->suspended = true;
  c->http->mhd->suspend_connection(c->mhd);
  lv_http_conn_limit(c, 0);
  watch_leaving(c);
}

void lv_http_conn_resume(lv_http_conn *c) {
  if (!c->suspended) return;
  c->suspended = false;
  if (c->watch) lv_watch_set(c->watch, 0);
  c->http->mhd->resume_connection(c->mhd);
  run_soon(c->http);
}

/* ---- accepting ---- */

static void listen_again(lv_http *h) {
  bool on = !h->stopping && h->nconns < h->opts.max_connections &&
            !lv_timer_is_running(&h->rest);
  for (int i = 0; i < h->nlisteners; i++)
    lv_watch_set(h->listeners[i].watch, on ? UV_READABLE : 0);
}

static void free_conn(lv_http_conn *c) {
  lv_http *h = c->http;
  lv_http_conn_limit(c, 0);
  lv_watch_close(c->watch);
  lv_list_del(&c->link);
  h->nconns--;
  free(c);
  listen_again(h);
}

/* Of one that could not be made whole it says nothing, or only the end. */
static void on_connection(void *http, struct MHD_Connection *mhd, void **ctx,
                          enum MHD_ConnectionNotificationCode what) {
  lv_http *h = http;
  if (what == MHD_CONNECTION_NOTIFY_STARTED) {
    lv_http_conn *c = *ctx = h->adding;
    h->adding = NULL;
    c->mhd = mhd;
    lv_http_conn_limit(c, h->opts.receive);
  } else if (*ctx != NULL) {
    free_conn(*ctx);
    *ctx = NULL;
  }
}

/* A follower to whom there is nothing to say would not be missed for ever, had
 * its machine gone. The kernel asks after it; we sleep. */
static void keep_alive(int fd) {
  const int on = 1, idle = 60, pause = 20, most = 3;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &pause, sizeof pause);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &most, sizeof most);
}

/* The descriptor is the library's whatever comes of it. */
static void add(lv_http *h, int fd, const lv_addr *peer) {
  lv_http_conn *c = calloc(1, sizeof *c);
  if (c == NULL) {
    lv_fd_close(&fd);
    return;
  }
  c->http = h;
  c->fd = fd;
  c->internet = peer->sa.sa_family != AF_UNIX;
  c->patience.fn = on_impatient;
  if (c->internet) keep_alive(fd);
  lv_list_push(&h->conns, &c->link);
  h->nconns++;
  h->adding = c;
  h->mhd->add_connection(h->daemon, fd, &peer->sa, peer->len);
  if (h->adding) free_conn(c);
  h->adding = NULL;
}

static void on_rested(lv_timer *timer) {
  listen_again(LV_OF(timer, lv_http, rest));
}

static void on_incoming(void *arg, int events) {
  lv_http_listener *l = arg;
  lv_http *h = l->http;
  (void)events;
  for (int i = 0; i < BURST && h->nconns < h->opts.max_connections; i++) {
    lv_addr peer;
    int fd = lv_peer_accept(l->fd, &peer);
    if (fd == -EAGAIN) break;
    if (fd >= 0) {
      add(h, fd, &peer);
    } else if (!lv_sock_is_passing(fd)) {
      lv_timer_start(&h->rt->timers, &h->rest, REST);
      break;
    }
  }
  listen_again(h);
}

int lv_http_listen(lv_http *h, int fd) {
  if (h->nlisteners == LV_HTTP_LISTENERS) return -EMFILE;
  lv_http_listener *l = &h->listeners[h->nlisteners];
  *l = (lv_http_listener){.http = h, .fd = fd};
  int rc = lv_watch_open(&l->watch, &h->rt->loop, fd, false, on_incoming, l);
  if (rc < 0) return rc;
  h->nlisteners++;
  listen_again(h);
  return 0;
}

/* ---- opening and closing ---- */

static struct MHD_Daemon *start(lv_http *h) {
  return h->mhd->start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0,
      NULL, NULL, lv_http_on_access, h, MHD_OPTION_CONNECTION_LIMIT,
      h->opts.max_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      h->opts.max_head, MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_URI_LOG_CALLBACK, lv_http_on_target, h,
      MHD_OPTION_NOTIFY_COMPLETED, lv_http_on_completed, h,
      MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
}

int lv_http_open(lv_http **out, lv_rt *rt, const lv_http_opts *opts) {
  const lv_mhd *mhd = lv_mhd_get();
  if (mhd == NULL) return -ELIBACC;
  lv_http *h = calloc(1, sizeof *h);
  if (h == NULL) return -ENOMEM;
  h->rt = rt;
  h->mhd = mhd;
  h->opts = *opts;
  h->again.fn = on_again;
  h->rest.fn = on_rested;
  lv_list_init(&h->conns);
  errno = 0;
  h->daemon = start(h);
  int rc = errno ? -errno : -ENOMEM;
  if (h->daemon == NULL) goto fail;
  const union MHD_DaemonInfo *info =
      mhd->get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
  rc = lv_watch_open(&h->watch, &rt->loop, info->epoll_fd, false, on_ready, h);
  if (rc == 0) rc = lv_watch_set(h->watch, UV_READABLE);
  if (rc < 0) goto fail;
  *out = h;
  return 0;

fail:
  lv_watch_close(h->watch);
  if (h->daemon) mhd->stop_daemon(h->daemon);
  free(h);
  return rc;
}

/* Those that wait for a next request are closed: the library reads the end. */
void lv_http_stop(lv_http *h) {
  if (h->stopping) return;
  h->stopping = true;
  lv_timer_stop(&h->rt->timers, &h->rest);
  for (int i = 0; i < h->nlisteners; i++) {
    lv_watch_close(h->listeners[i].watch);
    lv_fd_close(&h->listeners[i].fd);
  }
  h->nlisteners = 0;
  lv_list *at = h->conns.next;
  for (; at != &h->conns; at = at->next) {
    lv_http_conn *c = LV_OF(at, lv_http_conn, link);
    if (c->req == NULL || !c->req->whole) shutdown(c->fd, SHUT_RDWR);
  }
}

/* The library cannot stop with suspended connections. */
void lv_http_close(lv_http *h) {
  lv_http_stop(h);
  for (lv_list *at = h->conns.next; at != &h->conns; at = at->next) {
    lv_http_conn *c = LV_OF(at, lv_http_conn, link);
    if (c->req) lv_http_req_leave(c->req);
    lv_http_conn_resume(c);
  }
  lv_watch_close(h->watch);
  h->mhd->stop_daemon(h->daemon);
  lv_timer_stop(&h->rt->timers, &h->again);
  free(h);
}

unsigned lv_http_connections(const lv_http *h) {
  return h->nconns;
}
