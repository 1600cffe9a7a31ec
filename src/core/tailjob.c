/* core/tailjob.c — See tailjob.h. */
#include "core/tailjob.h"

#include "os/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_work(uv_work_t *req) {
  lv_tailjob *job = req->data;
  job->rc = lv_rotate_tail(&job->order, &job->tail);
}

static void on_done(uv_work_t *req, int status) {
  lv_tailjob *job = req->data;
  (void)status;
  if (job->fn)
    job->fn(job->arg);
  else
    lv_tailjob_free(job);
}

static lv_tailjob *make(const lv_tail_order *order) {
  lv_tailjob *job = calloc(1, sizeof *job);
  if (job == NULL) return NULL;
  job->req.data = job;
  job->order = *order;
  job->order.name = strdup(order->name);
  if (job->order.name) return job;
  free(job);
  return NULL;
}

int lv_tailjob_start(lv_tailjob **out, uv_loop_t *loop,
                     const lv_tail_order *order, lv_tailjob_fn fn, void *arg) {
  lv_tailjob *job = make(order);
  if (job == NULL) {
    int fd = order->fd;
    lv_fd_close(&fd);
    return -ENOMEM;
  }
  job->fn = fn;
  job->arg = arg;
  uv_queue_work(loop, &job->req, on_work, on_done);
  *out = job;
  return 0;
}

void lv_tailjob_abandon(lv_tailjob *job) {
  job->fn = NULL;
}

void lv_tailjob_free(lv_tailjob *job) {
  lv_fd_close(&job->order.fd);
  lv_buf_fini(&job->tail.bytes);
  free((char *)job->order.name);
  free(job);
}
