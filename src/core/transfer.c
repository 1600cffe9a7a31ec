/* core/transfer.c — See transfer.h.
 *
 * Each has a multi handle of its own: there is nothing that two could disturb
 * each other in, and closing one closes its connection. */
#include "core/transfer.h"

#include "core/curllib.h"
#include "core/watch.h"
#include "os/fd.h"
#include "os/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_HEAD = 256 * 1024, MOST_BODY = 256 * 1024 };

typedef struct {
  lv_list link;
  lv_transfer *transfer;
  int fd;
  lv_watch *watch;
  int wanted, ready; /* CURL_POLL_…, CURL_CSELECT_… */
} sock;

struct lv_transfer {
  lv_rt *rt;
  const lv_curl *curl;
  CURL *easy;
  CURLM *multi;
  struct curl_slist *headers, *resolved;
  lv_list socks;
  lv_timer timer;
  uint64_t due; /* curl's own timer, ns; 0: none */
  lv_transfer_fn fn;
  void *arg;
  lv_buf head, body;
  bool whole_head, paused, done;
  bool local;     /* a Unix socket */
  bool connected; /* an answer began */
  int code;       /* ours, before curl's */
  CURLcode result;
  char text[CURL_ERROR_SIZE];
};

/* ---- being told ---- */

void lv_transfer_disarm(lv_transfer *t) {
  t->fn = NULL;
  lv_timer_stop(&t->rt->timers, &t->timer);
  for (lv_list *at = t->socks.next; at != &t->socks; at = at->next) {
    sock *s = LV_OF(at, sock, link);
    if (s->watch) lv_watch_set(s->watch, 0);
  }
}

static void tell(lv_transfer *t) {
  lv_transfer_fn fn = t->fn;
  void *arg = t->arg;
  lv_transfer_disarm(t);
  if (fn) fn(arg);
}

static void on_timer(lv_timer *timer) {
  tell(LV_OF(timer, lv_transfer, timer));
}

static void on_socket(void *arg, int events) {
  sock *s = arg;
  if (events & UV_READABLE) s->ready |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) s->ready |= CURL_CSELECT_OUT;
  tell(s->transfer);
}

static int arm_socket(lv_transfer *t, sock *s) {
  int events = (s->wanted & CURL_POLL_IN ? UV_READABLE : 0) |
               (s->wanted & CURL_POLL_OUT ? UV_WRITABLE : 0);
  int rc = 0;
  if (s->watch == NULL)
    rc = lv_watch_open(&s->watch, &t->rt->loop, s->fd, false, on_socket, s);
  return rc < 0 ? rc : lv_watch_set(s->watch, events);
}

int lv_transfer_arm(lv_transfer *t, lv_transfer_fn fn, void *arg) {
  int rc = 0;
  t->fn = fn;
  t->arg = arg;
  for (lv_list *at = t->socks.next; at != &t->socks && rc == 0; at = at->next)
    rc = arm_socket(t, LV_OF(at, sock, link));
  if (rc == 0 && t->due != 0) {
    uint64_t now = uv_hrtime();
    double left = t->due > now ? (double)(t->due - now) / 1e9 : 0;
    rc = lv_timer_start(&t->rt->timers, &t->timer, left);
  }
  if (rc < 0) lv_transfer_disarm(t);
  return rc;
}

/* ---- curl's callbacks ---- */

static int on_curl_timer(CURLM *multi, long ms, void *arg) {
  lv_transfer *t = arg;
  (void)multi;
  t->due = ms < 0 ? 0 : uv_hrtime() + (uint64_t)ms * 1000000 + 1;
  return 0;
}

static sock *find(lv_transfer *t, int fd) {
  for (lv_list *at = t->socks.next; at != &t->socks; at = at->next)
    if (LV_OF(at, sock, link)->fd == fd) return LV_OF(at, sock, link);
  return NULL;
}

static void free_sock(sock *s) {
  lv_watch_close(s->watch);
  free(s);
}

static void forget(lv_transfer *t, int fd) {
  sock *s = find(t, fd);
  if (s == NULL) return;
  lv_list_del(&s->link);
  free_sock(s);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                          void *unused) {
  lv_transfer *t = arg;
  (void)easy, (void)unused;
  if (what == CURL_POLL_REMOVE) {
    forget(t, fd);
    return 0;
  }
  sock *s = find(t, fd);
  if (s == NULL) {
    s = calloc(1, sizeof *s);
    if (s == NULL) {
      t->code = -ENOMEM;
      return -1;
    }
    s->transfer = t;
    s->fd = fd;
    lv_list_push(&t->socks, &s->link);
  }
  s->wanted = what;
  return 0;
}

/* As all our sockets: CLOEXEC and non-blocking. */
static curl_socket_t on_open(void *arg, curlsocktype purpose,
                             struct curl_sockaddr *at) {
  lv_transfer *t = arg;
  (void)purpose;
  int fd = lv_sock_open(at->family);
  if (fd < 0) t->code = fd;
  return fd;
}

static int on_close(void *arg, curl_socket_t fd) {
  forget(arg, fd);
  lv_fd_close(&fd);
  return 0;
}

/* Lines of trailers come here after the body. */
static size_t on_header(char *line, size_t one, size_t n, void *arg) {
  lv_transfer *t = arg;
  (void)one;
  t->connected = true;
  if (t->whole_head) return n;
  if (n > 5 && memcmp(line, "HTTP/", 5) == 0) lv_buf_fini(&t->head);
  t->code = lv_buf_size(&t->head) + n > MOST_HEAD
                ? -EMSGSIZE
                : lv_buf_append(&t->head, line, n);
  if (t->code < 0) return 0;
  bool blank = n <= 2 && (*line == '\r' || *line == '\n');
  if (blank) t->whole_head = lv_transfer_status(t) >= 200;
  return n;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *arg) {
  lv_transfer *t = arg;
  (void)one;
  t->paused = lv_buf_size(&t->body) >= MOST_BODY;
  if (t->paused) return CURL_WRITEFUNC_PAUSE;
  t->code = lv_buf_append(&t->body, bytes, n);
  return t->code < 0 ? 0 : n;
}

/* ---- driving ---- */

static void look_whether_done(lv_transfer *t) {
  int left;
  CURLMsg *m;
  while ((m = t->curl->multi_info_read(t->multi, &left)) != NULL) {
    if (m->msg != CURLMSG_DONE) continue;
    t->done = true;
    t->result = m->data.result;
  }
}

/* A call may take sockets out of the list: it is walked anew. */
static sock *next_ready(lv_transfer *t) {
  for (lv_list *at = t->socks.next; at != &t->socks; at = at->next)
    if (LV_OF(at, sock, link)->ready) return LV_OF(at, sock, link);
  return NULL;
}

void lv_transfer_step(lv_transfer *t) {
  const lv_curl *curl = t->curl;
  int running;
  sock *s;
  if (t->done) return;
  if (t->paused && lv_buf_size(&t->body) < MOST_BODY) {
    t->paused = false;
    curl->easy_pause(t->easy, CURLPAUSE_CONT);
  }
  while ((s = next_ready(t)) != NULL) {
    int ready = s->ready;
    s->ready = 0;
    curl->multi_socket_action(t->multi, s->fd, ready, &running);
  }
  if (t->due != 0 && uv_hrtime() >= t->due) {
    t->due = 0;
    curl->multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  look_whether_done(t);
}

/* ---- what there is ---- */

const lv_buf *lv_transfer_head(const lv_transfer *t) {
  return t->whole_head ? &t->head : NULL;
}

int lv_transfer_status(const lv_transfer *t) {
  long status = 0;
  t->curl->easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  return (int)status;
}

lv_buf *lv_transfer_body(lv_transfer *t) {
  return &t->body;
}

bool lv_transfer_is_done(const lv_transfer *t) {
  return t->done;
}

bool lv_transfer_has_connected(const lv_transfer *t) {
  return t->connected;
}

int lv_transfer_error(const lv_transfer *t, const char **text) {
  *text = t->text[0] ? t->text : t->curl->easy_strerror(t->result);
  if (t->result == CURLE_OK) return 0;
  if (t->code < 0) return t->code;
  long os = 0;
  if (t->result == CURLE_COULDNT_CONNECT) {
    t->curl->easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os);
    if (os == 0 && t->local) os = EAGAIN; /* which curl takes for "soon" */
  }
  if (t->result == CURLE_OPERATION_TIMEDOUT) os = ETIMEDOUT;
  if (t->result == CURLE_OUT_OF_MEMORY) os = ENOMEM;
  return os > 0 ? -(int)os : -EREMOTEIO;
}

/* ---- opening and closing ---- */

static int add_headers(lv_transfer *t, const lv_transfer_opts *o) {
  for (size_t i = 0; i < o->nheaders; i++) {
    struct curl_slist *list = t->curl->slist_append(t->headers, o->headers[i]);
    if (list == NULL) return -ENOMEM;
    t->headers = list;
  }
  if (o->resolved == NULL) return 0;
  t->resolved = t->curl->slist_append(NULL, o->resolved);
  return t->resolved ? 0 : -ENOMEM;
}

/* One verdict over all options: CURLE_OK is 0. */
static int set_text(lv_transfer *t, CURLoption option, const void *data) {
  return data ? (int)t->curl->easy_setopt(t->easy, option, data) : 0;
}

static int set_number(lv_transfer *t, CURLoption option, long number) {
  return (int)t->curl->easy_setopt(t->easy, option, number);
}

static int set_callbacks(lv_transfer *t) {
  const lv_curl *c = t->curl;
  CURL *e = t->easy;
  int bad = (int)c->easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
  bad |= (int)c->easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
  bad |= (int)c->easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  bad |= (int)c->easy_setopt(e, CURLOPT_CLOSESOCKETDATA, t);
  bad |= (int)c->easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
  bad |= (int)c->easy_setopt(e, CURLOPT_HEADERDATA, t);
  bad |= (int)c->easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
  bad |= (int)c->easy_setopt(e, CURLOPT_WRITEDATA, t);
  bad |= (int)c->easy_setopt(e, CURLOPT_ERRORBUFFER, t->text);
  bad |=
      (int)c->multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
  bad |= (int)c->multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
  bad |= (int)c->multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
  bad |= (int)c->multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
  return bad;
}

/* Proxies of the environment are not for us: a probe of 127.0.0.1 would go
 * astray. */
static int set_request(lv_transfer *t, const lv_transfer_opts *o) {
  bool abstract = o->path && *o->path == '@';
  int bad = set_text(t, CURLOPT_URL, o->url);
  bad |= set_number(t, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
  bad |= set_number(t, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  bad |= set_number(t, CURLOPT_NOSIGNAL, 1);
  bad |= set_number(t, CURLOPT_FORBID_REUSE, 1);
  bad |= set_text(t, CURLOPT_PROXY, "");
  bad |= set_text(t, CURLOPT_USERAGENT, "luvisor/" LV_VERSION);
  bad |= set_text(t, CURLOPT_HTTPHEADER, t->headers);
  bad |= set_text(t, CURLOPT_RESOLVE, t->resolved);
  if (abstract)
    bad |= set_text(t, CURLOPT_ABSTRACT_UNIX_SOCKET, o->path + 1);
  else
    bad |= set_text(t, CURLOPT_UNIX_SOCKET_PATH, o->path);
  bad |= set_text(t, CURLOPT_CAINFO, o->ca);
  if (o->insecure) {
    bad |= set_number(t, CURLOPT_SSL_VERIFYPEER, 0);
    bad |= set_number(t, CURLOPT_SSL_VERIFYHOST, 0);
  }
  return bad;
}

static int set_body(lv_transfer *t, const lv_transfer_opts *o) {
  int bad = 0;
  if (o->body) {
    bad |= (int)t->curl->easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                     (curl_off_t)o->body_size);
    bad |= set_text(t, CURLOPT_POSTFIELDS, o->body);
  }
  if (strcmp(o->method, "HEAD") == 0)
    bad |= set_number(t, CURLOPT_NOBODY, 1);
  else
    bad |= set_text(t, CURLOPT_CUSTOMREQUEST, o->method);
  return bad;
}

static int prepare(lv_transfer *t, const lv_transfer_opts *o) {
  t->easy = t->curl->easy_init();
  t->multi = t->curl->multi_init();
  if (t->easy == NULL || t->multi == NULL || add_headers(t, o) < 0)
    return -ENOMEM;
  if (set_callbacks(t) || set_request(t, o) || set_body(t, o)) return -EINVAL;
  CURLMcode rc = t->curl->multi_add_handle(t->multi, t->easy);
  return rc == CURLM_OK ? 0 : -ENOMEM;
}

int lv_transfer_open(lv_transfer **out, lv_rt *rt,
                     const lv_transfer_opts *opts) {
  const lv_curl *curl = lv_curl_get();
  if (curl == NULL) return -ELIBACC;
  lv_transfer *t = calloc(1, sizeof *t);
  if (t == NULL) return -ENOMEM;
  t->rt = rt;
  t->curl = curl;
  t->local = opts->path != NULL;
  t->timer.fn = on_timer;
  lv_list_init(&t->socks);
  int rc = prepare(t, opts);
  if (rc < 0)
    lv_transfer_close(t);
  else
    *out = t;
  return rc;
}

void lv_transfer_close(lv_transfer *t) {
  lv_transfer_disarm(t);
  if (t->multi && t->easy) t->curl->multi_remove_handle(t->multi, t->easy);
  if (t->easy) t->curl->easy_cleanup(t->easy);
  if (t->multi) t->curl->multi_cleanup(t->multi);
  t->curl->slist_free_all(t->headers);
  t->curl->slist_free_all(t->resolved);
  for (lv_list *at = t->socks.next; at != &t->socks;) {
    sock *s = LV_OF(at, sock, link);
    at = at->next;
    free_sock(s);
  }
  lv_buf_fini(&t->head);
  lv_buf_fini(&t->body);
  free(t);
}
