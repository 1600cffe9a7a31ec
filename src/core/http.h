/* core/http.h — An HTTP/1.1 server on the loop, made of libmicrohttpd.
 *
 * It listens, gathers requests, and says when one has come whole. That is then
 * answered, at once or much later; until it is over the request can be asked
 * what it was. Bounded: connections, heads, bodies (each, and all of them
 * together), what waits to be sent, and the time that a peer may take. While
 * nothing happens nothing wakes up. */
#ifndef LV_CORE_HTTP_H
#define LV_CORE_HTTP_H

#include "base/buf.h"
#include "base/list.h"
#include "core/runtime.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct lv_http lv_http;
typedef struct lv_http_conn lv_http_conn;
typedef struct lv_http_req lv_http_req;
struct MHD_Response;

typedef enum {
  LV_HTTP_ROOM, /* little waits to be sent: more can be written */
  LV_HTTP_SENT, /* the answer has been sent: over */
  LV_HTTP_GONE  /* the peer left, or is closed upon, before that: over */
} lv_http_event;
typedef void (*lv_http_event_fn)(void *arg, lv_http_req *r, lv_http_event what);
typedef void (*lv_http_fn)(void *arg, lv_http_req *r);

typedef struct {
  unsigned max_connections; /* those beyond wait in the kernel */
  size_t max_head;          /* bytes, about */
  size_t max_body;
  size_t max_bodies; /* all that are being gathered together */
  double receive;    /* seconds for a whole request, from the one before on */
  double stall;      /* seconds that a peer may take nothing while we send */
  lv_http_fn came;   /* a whole request; called from the loop, as all here */
  void *arg;
} lv_http_opts;

/* Counted: the connection has one reference until it is over, an answer under
 * way another, who wants to keep it takes more. */
struct lv_http_req {
  unsigned refs;
  lv_list link; /* for whoever keeps it */
  lv_http *http;
  lv_http_conn *conn;  /* NULL: over */
  lv_http_event_fn fn; /* may be NULL */
  void *arg;
  char *target;                 /* as it was sent: path and query */
  const char *method, *version; /* only while there is a connection */
  lv_buf body;
  unsigned refused; /* a status that is to be the answer: the body is too large,
                       and not here */
  bool begun, whole, gone;
  size_t counted; /* bytes of the body, in http->bodies */
  size_t dropped;
  /* the answer */
  struct MHD_Response *response; /* not given to the library yet */
  unsigned status;
  lv_buf out;
  bool ended;   /* nothing will be added to out */
  bool patient; /* the peer may take as long as it likes: no stall */
};

/* 0 or -errno: -ELIBACC if there is no libmicrohttpd (LV_MHD_FILE). */
int lv_http_open(lv_http **out, lv_rt *rt, const lv_http_opts *opts);

/* Listen on this socket as well, which is taken over. 0, or -errno: then it is
 * the caller's still. */
int lv_http_listen(lv_http *h, int fd);

/* Accept no more, and no further requests of the connections that there are;
 * requests that have come can be answered. Twice is harmless. */
void lv_http_stop(lv_http *h);

/* All requests are over, and h is gone. */
void lv_http_close(lv_http *h);

unsigned lv_http_connections(const lv_http *h);

void lv_http_unref(lv_http_req *r);

int lv_http_fd(const lv_http_req *r); /* of its connection; -1: over */

typedef void (*lv_http_pair_fn)(void *arg, const char *name, const char *value);
void lv_http_headers(lv_http_req *r, lv_http_pair_fn fn, void *arg);

/* Begin the answer: of this many bytes, which must then be written, or LV_HTTP_
 * UNKNOWN. Once. -EPIPE: over; or another -errno. */
#define LV_HTTP_UNKNOWN UINT64_MAX
int lv_http_begin(lv_http_req *r, unsigned status, uint64_t size);
int lv_http_header(lv_http_req *r, const char *name, const char *value);

/* Send what was begun; from now on it may be written to, until lv_http_end. */
void lv_http_send(lv_http_req *r);
int lv_http_write(lv_http_req *r, const char *bytes, size_t n);
void lv_http_end(lv_http_req *r);

/* It is not to be answered, or not to the end: the connection is closed. */
void lv_http_abort(lv_http_req *r);

/* LV_HTTP_ROOM comes when no more than this waits. */
enum { LV_HTTP_LOW = 16 * 1024 };

#endif
