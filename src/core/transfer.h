/* core/transfer.h — One HTTP request to a server, by libcurl.
 *
 * It is driven by whoever waits for it: `step` does what can be done now,
 * `arm` asks to be told when there is more. Between the two nothing is read, so
 * a server can send no more than we take. */
#ifndef LV_CORE_TRANSFER_H
#define LV_CORE_TRANSFER_H

#include "base/buf.h"
#include "core/runtime.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct lv_transfer lv_transfer;
typedef void (*lv_transfer_fn)(void *arg);

typedef struct {
  const char *method, *url;
  const char *const *headers; /* "Name: value"; borrowed, as all but body */
  size_t nheaders;
  const char *body; /* NULL: none; must outlive the transfer */
  size_t body_size;
  const char *path;     /* of a Unix socket, "@name" for an abstract one */
  const char *resolved; /* "host:port:address,…": the name is not looked up */
  const char *ca;       /* a file of certificates to trust */
  bool insecure;        /* … or trust any */
} lv_transfer_opts;

/* 0 or -errno: -ELIBACC if there is no libcurl (LV_CURL_FILE). */
int lv_transfer_open(lv_transfer **out, lv_rt *rt,
                     const lv_transfer_opts *opts);
void lv_transfer_close(lv_transfer *t);

void lv_transfer_step(lv_transfer *t);

/* fn is called once, when a step has something to do. 0 or -errno. */
int lv_transfer_arm(lv_transfer *t, lv_transfer_fn fn, void *arg);
void lv_transfer_disarm(lv_transfer *t);

/* What there is. The head is what stands before the body, of the last answer
 * if there were several (100 Continue); NULL: not here yet. */
const lv_buf *lv_transfer_head(const lv_transfer *t);
int lv_transfer_status(const lv_transfer *t);
lv_buf *lv_transfer_body(lv_transfer *t); /* to be eaten at */

/* Over? Then code is 0, or -errno and text what curl says of it; the code is
 * -EREMOTEIO where it is none of the system's, -EMSGSIZE for a head that is too
 * long, -EAGAIN if the backlog of a Unix socket is full. */
bool lv_transfer_is_done(const lv_transfer *t);
int lv_transfer_error(const lv_transfer *t, const char **text);
bool lv_transfer_has_connected(const lv_transfer *t);

#endif
