/* core/sig.h — Signals to ourselves, told to whoever asked for them. */
#ifndef LV_CORE_SIG_H
#define LV_CORE_SIG_H

#include "base/list.h"

#include <stdbool.h>
#include <uv.h>

enum { LV_NSIG = 65 };

typedef struct lv_watch lv_watch;

/* `times`: how often the kernel delivered it since last told. It may delete
 * its own subscription, and no other. */
typedef void (*lv_sig_fn)(void *arg, int signum, unsigned times);

typedef struct {
  lv_list link;
  lv_sig_fn fn;
  void *arg;
} lv_sub;

typedef struct {
  uv_loop_t *loop;
  uv_poll_t poll; /* on an eventfd that the handler writes to */
  int fd;
  lv_list subs[LV_NSIG];
  bool ignored[LV_NSIG];
} lv_sigs;

/* One per process: a signal handler has no argument to find another by. */
int lv_sigs_open(lv_sigs *s, uv_loop_t *loop);
void lv_sigs_close(lv_sigs *s); /* uv's handle dies in the next turn */
void lv_sigs_fini(lv_sigs *s);

/* Call fn from the loop for each arrival. The first for a signal installs the
 * handler (SA_RESTART), the last to leave puts the default back. 0 or -errno:
 * -EINVAL for KILL, STOP and what is no signal. */
int lv_sub_add(lv_sigs *s, lv_sub *sub, int signum, lv_sig_fn fn, void *arg);
void lv_sub_del(lv_sigs *s, lv_sub *sub, int signum);

int lv_sigs_ignore(lv_sigs *s, int signum, bool on); /* 0 or -errno */

#endif
