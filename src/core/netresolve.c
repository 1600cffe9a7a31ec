/* core/netresolve.c — See netresolve.h. */
#include "core/netresolve.h"

#include <errno.h>
#include <stdlib.h>

struct lv_resolve {
  uv_getaddrinfo_t req;
  lv_resolve_fn fn; /* NULL: abandoned */
  void *arg;
};

static void on_done(uv_getaddrinfo_t *req, int status, struct addrinfo *found) {
  lv_resolve *job = req->data;
  if (job->fn)
    job->fn(job->arg, status, found);
  else
    uv_freeaddrinfo(found);
  free(job);
}

int lv_resolve_start(lv_resolve **out, uv_loop_t *loop, const char *host,
                     lv_resolve_fn fn, void *arg) {
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  lv_resolve *job = calloc(1, sizeof *job);
  if (job == NULL) return -ENOMEM;
  job->fn = fn;
  job->arg = arg;
  job->req.data = job;
  int rc = uv_getaddrinfo(loop, &job->req, on_done, host, NULL, &hints);
  if (rc < 0) {
    free(job);
    return rc;
  }
  *out = job;
  return 0;
}

void lv_resolve_abandon(lv_resolve *job) {
  job->fn = NULL;
  uv_cancel((uv_req_t *)&job->req); /* refused once a thread has it */
}
