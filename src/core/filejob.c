/* core/filejob.c — See filejob.h. */
#include "core/filejob.h"

#include "os/fd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* One call writes no more: so an abandoned job soon ends. */
enum { PIECE = 4 << 20 };

struct lv_filejob {
  uv_fs_t req;
  uv_loop_t *loop;
  int fd;
  bool writing;
  size_t most;      /* to read */
  lv_filejob_fn fn; /* NULL: abandoned */
  void *arg;
  lv_buf bytes;
};

static int submit(lv_filejob *job);

static void finish(lv_filejob *job, ssize_t result) {
  if (job->fn)
    job->fn(job->arg, &job->bytes, result);
  else
    lv_fd_close(&job->fd);
  lv_buf_fini(&job->bytes);
  free(job);
}

/* Another call for what is left, or because a signal came between. */
static bool goes_on(lv_filejob *job, ssize_t result) {
  if (job->fn == NULL) return false;
  if (result == -EINTR) return true;
  return job->writing && result > 0 && lv_buf_size(&job->bytes) > 0;
}

static void on_done(uv_fs_t *req) {
  lv_filejob *job = req->data;
  ssize_t result = req->result;
  uv_fs_req_cleanup(req);
  if (result > 0 && job->writing)
    lv_buf_consume(&job->bytes, (size_t)result);
  else if (result > 0)
    job->bytes.tail += (size_t)result;
  if (goes_on(job, result)) {
    int rc = submit(job);
    if (rc == 0) return;
    result = rc;
  }
  if (job->writing && result >= 0) result = lv_buf_size(&job->bytes) ? -EIO : 0;
  finish(job, result);
}

static int submit(lv_filejob *job) {
  lv_buf *b = &job->bytes;
  if (!job->writing) {
    uv_buf_t room = uv_buf_init(b->data + b->tail, (unsigned)job->most);
    return uv_fs_read(job->loop, &job->req, job->fd, &room, 1, -1, on_done);
  }
  size_t n = lv_buf_size(b) < PIECE ? lv_buf_size(b) : PIECE;
  uv_buf_t piece = uv_buf_init(lv_buf_bytes(b), (unsigned)n);
  return uv_fs_write(job->loop, &job->req, job->fd, &piece, 1, -1, on_done);
}

static lv_filejob *make(uv_loop_t *loop, int fd, lv_filejob_fn fn, void *arg) {
  lv_filejob *job = calloc(1, sizeof *job);
  if (job == NULL) return NULL;
  job->loop = loop;
  job->fd = fd;
  job->fn = fn;
  job->arg = arg;
  job->req.data = job;
  return job;
}

int lv_filejob_read(lv_filejob **out, uv_loop_t *loop, int fd, size_t n,
                    lv_filejob_fn fn, void *arg) {
  lv_filejob *job = make(loop, fd, fn, arg);
  if (job == NULL) return -ENOMEM;
  job->most = n;
  int rc = lv_buf_reserve(&job->bytes, n);
  if (rc == 0) rc = submit(job);
  if (rc < 0) {
    lv_buf_fini(&job->bytes);
    free(job);
    return rc;
  }
  *out = job;
  return 0;
}

int lv_filejob_write(lv_filejob **out, uv_loop_t *loop, int fd, lv_buf *bytes,
                     lv_filejob_fn fn, void *arg) {
  lv_filejob *job = make(loop, fd, fn, arg);
  if (job == NULL) return -ENOMEM;
  job->writing = true;
  job->bytes = *bytes;
  int rc = submit(job);
  if (rc < 0) {
    free(job);
    return rc;
  }
  *bytes = (lv_buf){0};
  *out = job;
  return 0;
}

void lv_filejob_abandon(lv_filejob *job) {
  job->fn = NULL;
}
