/* core/fsjob.h — Work on files and folders, done by libuv's threads. */
#ifndef LV_CORE_FSJOB_H
#define LV_CORE_FSJOB_H

#include "base/buf.h"
#include "os/file.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <uv.h>

typedef struct lv_fsjob lv_fsjob;
typedef void (*lv_fsjob_fn)(void *arg);

typedef struct {
  const char *name;
  int (*work)(lv_fsjob *job); /* in a thread: 0 or -errno */
  bool changes; /* something: it cannot be left to itself when cancelled */
} lv_fsop;

struct lv_fsjob {
  const lv_fsop *op;
  char *path, *other; /* other: NULL where there is none */
  lv_contents contents;
  long long n; /* an option: a limit, a flag */
  lv_flag stop;

  int rc; /* results; of these only what the work has */
  lv_fault fault;
  lv_buf bytes;
  struct stat st;
  int fd;

  uv_work_t req; /* the job's own */
  lv_fsjob_fn fn;
  void *arg;
};

/* NULL: there is none of that name. */
const lv_fsop *lv_fsop_find(const char *name);

/* A job with copies of the paths; what contents.bytes points to stays until fn
 * is called. NULL: out of memory. */
lv_fsjob *lv_fsjob_new(const lv_fsop *op, const char *path, const char *other);

/* Give it to a thread; fn is called on the loop when it is done. 0 or a code of
 * libuv's: then the job is still the caller's. */
int lv_fsjob_start(lv_fsjob *job, uv_loop_t *loop, lv_fsjob_fn fn, void *arg);

/* true: fn will not be called, and the job frees itself. false: fn will be, soon:
 * it gives up with -ECANCELED if it can leave things as they were. */
bool lv_fsjob_cancel(lv_fsjob *job);

void lv_fsjob_free(lv_fsjob *job); /* not while it runs */

#endif
