/* core/filejob.c — See filejob.h. */
#include "core/filejob.h"

#include "os/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lv_filejob {
  uv_fs_t req;
  int fd;
  lv_filejob_fn fn; /* NULL: abandoned */
  void *arg;
  size_t size;
  char data[];
};

static void on_done(uv_fs_t *req) {
  lv_filejob *job = req->data;
  ssize_t result = req->result;
  uv_fs_req_cleanup(req);
  if (job->fn)
    job->fn(job->arg, job->data, result);
  else
    lv_fd_close(&job->fd);
  free(job);
}

static lv_filejob *make(int fd, size_t n, lv_filejob_fn fn, void *arg) {
  lv_filejob *job = malloc(sizeof *job + n);
  if (job == NULL) return NULL;
  job->fd = fd;
  job->fn = fn;
  job->arg = arg;
  job->size = n;
  job->req.data = job;
  return job;
}

static int submitted(lv_filejob **out, lv_filejob *job, int rc) {
  if (rc < 0)
    free(job);
  else
    *out = job;
  return rc;
}

int lv_filejob_read(lv_filejob **out, uv_loop_t *loop, int fd, size_t n,
                    lv_filejob_fn fn, void *arg) {
  lv_filejob *job = make(fd, n, fn, arg);
  if (job == NULL) return -ENOMEM;
  uv_buf_t buf = uv_buf_init(job->data, (unsigned)n);
  return submitted(out, job,
                   uv_fs_read(loop, &job->req, fd, &buf, 1, -1, on_done));
}

int lv_filejob_write(lv_filejob **out, uv_loop_t *loop, int fd,
                     const char *bytes, size_t n, lv_filejob_fn fn, void *arg) {
  lv_filejob *job = make(fd, n, fn, arg);
  if (job == NULL) return -ENOMEM;
  memcpy(job->data, bytes, n);
  uv_buf_t buf = uv_buf_init(job->data, (unsigned)n);
  return submitted(out, job,
                   uv_fs_write(loop, &job->req, fd, &buf, 1, -1, on_done));
}

void lv_filejob_abandon(lv_filejob *job) {
  job->fn = NULL;
}
