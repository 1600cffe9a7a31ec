/* core/httpreq.c — Requests and their answers. See http.h.
 *
 * The library calls lv_http_on_access for the head of a request, for each piece
 * of its body, and once it is whole. There the connection is suspended until an
 * answer is begun; resumed, the library asks once more, and gets it. Bytes of
 * the answer are then taken by on_read, as many as the peer takes: where there
 * are none yet the connection is suspended again. */
#include "core/httpimpl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
  BLOCK = 32 * 1024,
  TOO_LARGE = 413,
  UNAVAILABLE = 503,
  DROPPED_BODIES = 16 /* times max_body that are read only to be refused */
};

static void tell(lv_http_req *r, lv_http_event what) {
  if (r->fn) r->fn(r->arg, r, what);
}

/* ---- receiving ---- */

void *lv_http_on_target(void *http, const char *target,
                        struct MHD_Connection *mhd) {
  lv_http_req *r = calloc(1, sizeof *r);
  (void)mhd;
  if (r == NULL) return NULL;
  r->refs = 1;
  r->http = http;
  lv_list_init(&r->link);
  r->target = strdup(target ? target : "");
  if (r->target) return r;
  free(r);
  return NULL;
}

/* Its body is counted until the request is over. */
static void uncount(lv_http_req *r) {
  r->http->bodies -= r->counted;
  r->counted = 0;
}

void lv_http_unref(lv_http_req *r) {
  if (--r->refs > 0) return;
  lv_buf_fini(&r->body);
  lv_buf_fini(&r->out);
  free(r->target);
  free(r);
}

/* All of it is here, or it is refused. */
static enum MHD_Result deliver(lv_http_req *r) {
  r->whole = true;
  lv_http_conn_suspend(r->conn);
  r->http->opts.came(r->http->opts.arg, r);
  return MHD_YES;
}

static bool announces_too_much(lv_http_req *r) {
  const char *size = r->http->mhd->lookup_connection_value(
      r->conn->mhd, MHD_HEADER_KIND, "Content-Length");
  return size && strtoull(size, NULL, 10) > r->http->opts.max_body;
}

/* Where a request has no body it is whole with the next call. */
static enum MHD_Result begin(lv_http_req *r, struct MHD_Connection *mhd,
                             const char *method, const char *version) {
  const union MHD_ConnectionInfo *info = r->http->mhd->get_connection_info(
      mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  r->begun = true;
  r->conn = info->socket_context;
  r->conn->req = r;
  r->method = method;
  r->version = version;
  if (!announces_too_much(r)) return MHD_YES;
  r->refused = TOO_LARGE;
  return deliver(r);
}

static unsigned refusal(const lv_http_req *r, size_t n) {
  const lv_http *h = r->http;
  if (lv_buf_size(&r->body) + n > h->opts.max_body) return TOO_LARGE;
  return h->bodies + n > h->opts.max_bodies ? UNAVAILABLE : 0;
}

/* A body that is refused is read to its end, for only then can we answer. */
static enum MHD_Result take_body(lv_http_req *r, const char *bytes, size_t n) {
  if (r->refused == 0) r->refused = refusal(r, n);
  if (r->refused == 0) {
    if (lv_buf_append(&r->body, bytes, n) < 0) return MHD_NO;
    r->counted += n;
    r->http->bodies += n;
    return MHD_YES;
  }
  lv_buf_fini(&r->body);
  uncount(r);
  r->dropped += n;
  bool patient = r->dropped / DROPPED_BODIES <= r->http->opts.max_body;
  return patient ? MHD_YES : MHD_NO;
}

static void limit_stall(lv_http_req *r) {
  lv_http_conn_limit(r->conn, r->patient ? 0 : r->http->opts.stall);
}

static enum MHD_Result queue(lv_http_req *r) {
  const lv_mhd *mhd = r->http->mhd;
  enum MHD_Result ok =
      mhd->queue_response(r->conn->mhd, r->status, r->response);
  mhd->destroy_response(r->response);
  r->response = NULL;
  limit_stall(r);
  return ok;
}

/* MHD_NO closes the connection. The parameters are the library's choice.
 * NOLINTNEXTLINE(readability-function-size) */
enum MHD_Result lv_http_on_access(void *http, struct MHD_Connection *mhd,
                                  const char *url, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_size, void **req) {
  lv_http_req *r = *req;
  (void)http, (void)url;
  if (r == NULL || r->gone) return MHD_NO;
  if (r->response) return queue(r);
  if (!r->begun) return begin(r, mhd, method, version);
  if (*upload_size > 0) {
    size_t n = *upload_size;
    *upload_size = 0;
    return take_body(r, upload, n);
  }
  return r->whole ? MHD_NO : deliver(r);
}

/* ---- the end ---- */

static void forget_response(lv_http_req *r) {
  struct MHD_Response *response = r->response;
  r->response = NULL;
  if (response) r->http->mhd->destroy_response(response);
}

static void settle(lv_http_conn *c) {
  c->req = NULL;
  if (c->http->stopping)
    lv_http_conn_limit(c, 0.001);
  else
    lv_http_conn_limit(c, c->http->opts.receive);
}

void lv_http_on_completed(void *http, struct MHD_Connection *mhd, void **req,
                          enum MHD_RequestTerminationCode how) {
  lv_http_req *r = *req;
  (void)http, (void)mhd;
  *req = NULL;
  if (r == NULL) return;
  bool sent = how == MHD_REQUEST_TERMINATED_COMPLETED_OK && !r->gone;
  bool told = r->gone;
  uncount(r);
  forget_response(r);
  if (r->conn) settle(r->conn);
  r->conn = NULL;
  if (!told) tell(r, sent ? LV_HTTP_SENT : LV_HTTP_GONE);
  lv_http_unref(r);
}

void lv_http_req_leave(lv_http_req *r) {
  if (r->gone) return;
  r->gone = true;
  tell(r, LV_HTTP_GONE);
  if (r->conn) lv_http_conn_resume(r->conn);
}

void lv_http_abort(lv_http_req *r) {
  if (r->conn == NULL || r->gone) return;
  r->gone = true;
  bool was_suspended = r->conn->suspended;
  lv_http_conn_resume(r->conn);
  if (!was_suspended) shutdown(r->conn->fd, SHUT_RDWR);
}

/* ---- answering ---- */

static ssize_t on_read(void *arg, uint64_t at, char *to, size_t max) {
  lv_http_req *r = arg;
  size_t n = lv_buf_size(&r->out);
  (void)at;
  if (r->gone || r->conn == NULL) return MHD_CONTENT_READER_END_WITH_ERROR;
  if (n == 0 && r->ended) return MHD_CONTENT_READER_END_OF_STREAM;
  if (n == 0) {
    lv_http_conn_suspend(r->conn);
    return 0;
  }
  if (n > max) n = max;
  memcpy(to, lv_buf_bytes(&r->out), n);
  lv_buf_consume(&r->out, n);
  limit_stall(r);
  if (lv_buf_size(&r->out) <= LV_HTTP_LOW) tell(r, LV_HTTP_ROOM);
  return (ssize_t)n;
}

static void on_free(void *arg) {
  lv_http_unref(arg);
}

int lv_http_begin(lv_http_req *r, unsigned status, uint64_t size) {
  if (r->conn == NULL || r->gone) return -EPIPE;
  r->response = r->http->mhd->create_response_from_callback(
      size, BLOCK, on_read, r, on_free);
  if (r->response == NULL) return -ENOMEM;
  r->refs++;
  r->status = status;
  return 0;
}

int lv_http_header(lv_http_req *r, const char *name, const char *value) {
  if (r->response == NULL) return -EPIPE;
  return r->http->mhd->add_response_header(r->response, name, value) == MHD_YES
             ? 0
             : -EINVAL;
}

void lv_http_send(lv_http_req *r) {
  if (r->conn) lv_http_conn_resume(r->conn);
}

/* The library asks for more by itself, unless it was told that there is none
 * yet. */
static void go_on(lv_http_req *r) {
  if (r->response == NULL) lv_http_conn_resume(r->conn);
}

int lv_http_write(lv_http_req *r, const char *bytes, size_t n) {
  if (r->conn == NULL || r->gone) return -EPIPE;
  int rc = lv_buf_append(&r->out, bytes, n);
  if (rc == 0 && n > 0) go_on(r);
  return rc;
}

void lv_http_end(lv_http_req *r) {
  r->ended = true;
  if (r->conn && !r->gone) go_on(r);
}

/* ---- asking ---- */

int lv_http_fd(const lv_http_req *r) {
  return r->conn ? r->conn->fd : -1;
}

typedef struct {
  lv_http_pair_fn fn;
  void *arg;
} visit;

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind,
                                 const char *name, const char *value) {
  const visit *v = arg;
  (void)kind;
  v->fn(v->arg, name, value ? value : "");
  return MHD_YES;
}

void lv_http_headers(lv_http_req *r, lv_http_pair_fn fn, void *arg) {
  visit v = {fn, arg};
  if (r->conn == NULL) return;
  r->http->mhd->get_connection_values(r->conn->mhd, MHD_HEADER_KIND, on_header,
                                      &v);
}
