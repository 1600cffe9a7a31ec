/* core/fsjob.c — See fsjob.h. What each operation does is in os/; here stands
 * which there are. */
#include "core/fsjob.h"

#include "os/fd.h"
#include "os/inotify.h"
#include "os/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int checked(int rc) {
  return rc == -1 ? -errno : 0;
}

static int put_text(lv_fsjob *job, const char *text) {
  return lv_buf_append(&job->bytes, text, strlen(text));
}

static int do_read(lv_fsjob *job) {
  return lv_file_read(job->path, (size_t)job->n, &job->bytes, &job->fd,
                      &job->stop, &job->fault);
}

static int do_write(lv_fsjob *job) {
  return lv_file_write(job->path, &job->contents, job->n != 0, &job->fd,
                       &job->fault);
}

static int do_replace(lv_fsjob *job) {
  return lv_file_replace(job->path, &job->contents, &job->stop, &job->fault);
}

static int do_stat(lv_fsjob *job) {
  return checked(stat(job->path, &job->st));
}

static int do_lstat(lv_fsjob *job) {
  return checked(lstat(job->path, &job->st));
}

static int do_scandir(lv_fsjob *job) {
  return lv_dir_list(job->path, &job->bytes, &job->stop, &job->fault);
}

static int do_mkdir(lv_fsjob *job) {
  return lv_dir_make(job->path, job->contents.mode, job->n != 0, &job->fault);
}

static int do_mkdtemp(lv_fsjob *job) {
  char *path;
  if (asprintf(&path, "%sXXXXXX", job->path) < 0) return -ENOMEM;
  int rc = mkdtemp(path) ? put_text(job, path) : -errno;
  free(path);
  return rc;
}

static int do_remove(lv_fsjob *job) {
  return lv_tree_remove(job->path, job->n != 0, &job->stop, &job->fault);
}

static int do_rename(lv_fsjob *job) {
  return checked(rename(job->path, job->other));
}

static int do_readlink(lv_fsjob *job) {
  char target[PATH_MAX];
  ssize_t n = readlink(job->path, target, sizeof target);
  return n == -1 ? -errno : lv_buf_append(&job->bytes, target, (size_t)n);
}

static int do_symlink(lv_fsjob *job) {
  return checked(symlink(job->other, job->path));
}

static int do_chmod(lv_fsjob *job) {
  return checked(chmod(job->path, (mode_t)job->contents.mode));
}

static int do_realpath(lv_fsjob *job) {
  char *found = realpath(job->path, NULL);
  if (found == NULL) return -errno;
  int rc = put_text(job, found);
  free(found);
  return rc;
}

static int do_watch(lv_fsjob *job) {
  job->fd = lv_inotify_open(job->path, (unsigned)job->n);
  return job->fd < 0 ? job->fd : 0;
}

static const lv_fsop ops[] = {
    {"read", do_read, false},         {"write", do_write, true},
    {"replace", do_replace, true},    {"stat", do_stat, false},
    {"lstat", do_lstat, false},       {"scandir", do_scandir, false},
    {"mkdir", do_mkdir, true},        {"mkdtemp", do_mkdtemp, true},
    {"remove", do_remove, true},      {"rename", do_rename, true},
    {"readlink", do_readlink, false}, {"symlink", do_symlink, true},
    {"chmod", do_chmod, true},        {"realpath", do_realpath, false},
    {"watch", do_watch, false},
};

const lv_fsop *lv_fsop_find(const char *name) {
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
    if (strcmp(ops[i].name, name) == 0) return &ops[i];
  return NULL;
}

lv_fsjob *lv_fsjob_new(const lv_fsop *op, const char *path, const char *other) {
  lv_fsjob *job = calloc(1, sizeof *job);
  if (job == NULL) return NULL;
  job->op = op;
  job->fd = -1;
  job->fault.op = op->name;
  job->req.data = job;
  job->path = strdup(path);
  job->other = other ? strdup(other) : NULL;
  if (job->path && (job->other || other == NULL)) return job;
  lv_fsjob_free(job);
  return NULL;
}

static void on_work(uv_work_t *req) {
  lv_fsjob *job = req->data;
  job->rc = atomic_load(&job->stop) ? -ECANCELED : job->op->work(job);
}

static void on_done(uv_work_t *req, int status) {
  lv_fsjob *job = req->data;
  if (status < 0) job->rc = status;
  if (job->fn)
    job->fn(job->arg);
  else
    lv_fsjob_free(job);
}

int lv_fsjob_start(lv_fsjob *job, uv_loop_t *loop, lv_fsjob_fn fn, void *arg) {
  job->fn = fn;
  job->arg = arg;
  return uv_queue_work(loop, &job->req, on_work, on_done);
}

bool lv_fsjob_cancel(lv_fsjob *job) {
  atomic_store(&job->stop, true);
  if (!job->op->changes) job->fn = NULL;
  uv_cancel((uv_req_t *)&job->req); /* refused once a thread has it */
  return !job->op->changes;
}

void lv_fsjob_free(lv_fsjob *job) {
  lv_fd_close(&job->fd);
  lv_buf_fini(&job->bytes);
  free(job->fault.subject);
  free(job->path);
  free(job->other);
  free(job);
}
