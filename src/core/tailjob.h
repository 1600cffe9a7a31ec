/* core/tailjob.h — The last lines of a log, read by one of libuv's threads. */
#ifndef LV_CORE_TAILJOB_H
#define LV_CORE_TAILJOB_H

#include "os/rotate.h"

#include <uv.h>

typedef void (*lv_tailjob_fn)(void *arg);

typedef struct {
  uv_work_t req;
  lv_tail_order order;
  lv_tailjob_fn fn; /* NULL: abandoned */
  void *arg;
  int rc; /* 0 or -errno */
  lv_tail tail;
} lv_tailjob;

/* The name is copied, and a descriptor that is given is the job's from now on,
 * also after a failure. fn is called on the loop when it is done. 0 or -ENOMEM.
 */
int lv_tailjob_start(lv_tailjob **out, uv_loop_t *loop,
                     const lv_tail_order *order, lv_tailjob_fn fn, void *arg);

/* fn will not be called, and the job frees itself. */
void lv_tailjob_abandon(lv_tailjob *job);
void lv_tailjob_free(lv_tailjob *job); /* not while it runs */

#endif
