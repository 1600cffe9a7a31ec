/* core/sig.h — Signals to ourselves, told to whoever asked for them. */
#ifndef LV_CORE_SIG_H
#define LV_CORE_SIG_H

#include "base/list.h"

#include <stdbool.h>
#include <uv.h>

enum { LV_NSIG = 65 };

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

/* One per process: a signal handler has no argument to find another by. INT,
 * QUIT, TERM and HUP that were ignored when we started count as ignored by us.
 */
int lv_sigs_open(lv_sigs *s, uv_loop_t *loop);
void lv_sigs_close(lv_sigs *s); /* uv's handle dies in the next turn */
void lv_sigs_fini(lv_sigs *s);
bool lv_sigs_arrived(void); /* one of which the next turn of the loop tells */

/* Call fn from the loop for each arrival. The first for a signal installs the
 * handler (SA_RESTART), the last to leave puts back what was before: ignored or
 * default. 0 or -errno: -EINVAL for what cannot be caught: KILL, STOP, no
 * signal, and faults (SEGV, BUS, FPE, ILL), which would come again for ever. */
int lv_sub_add(lv_sigs *s, lv_sub *sub, int signum, lv_sig_fn fn, void *arg);
void lv_sub_del(lv_sigs *s, lv_sub *sub, int signum);

/* 0 or -errno. While somebody subscribes to it, it is heard all the same. */
int lv_sigs_ignore(lv_sigs *s, int signum, bool on);

/* For a program that does not come back to its loop: the second arrival of
 * signals that end it, or five seconds after the first, calls fn from the
 * handler itself, on the loop's thread. It must do only what a signal handler
 * may (signal-safety(7)), and not return. */
typedef void (*lv_last_fn)(void *arg, int signum);
void lv_sigs_on_last(lv_last_fn fn, void *arg);
void lv_sigs_set_ending(int signum, bool on);

/* The first arrival of this one does the same at once. 0 or -errno. */
int lv_sigs_set_fatal(int signum);

/* Between the two fn waits: what it reads is being changed. They nest. */
void lv_sigs_hold(void);
void lv_sigs_release(void);

#endif
