/* core/watchset.h — Many descriptors that are seldom ready, in one epoll set.
 *
 * libuv needs six or seven calls for a descriptor, from uv_poll_init, which
 * tries it, to uv_close; in a set of its own it needs two. But a turn in which
 * one of them is ready costs an epoll_wait more: so this is for the ends of
 * children and for what services log, not for what talks. */
#ifndef LV_CORE_WATCHSET_H
#define LV_CORE_WATCHSET_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

typedef struct lv_watchset lv_watchset;

/* A descriptor in the set; zeroed memory, but for fn and arg, is in none. It
 * stays where it is as long as it is in. */
typedef struct {
  void (*fn)(void *arg); /* it can be read, or has ended. May do all of this */
  void *arg;
  lv_watchset *set; /* NULL: in none */
  int fd;
  bool wanted; /* fn is to be called */
  bool armed;  /* the kernel will tell, once */
  int told;    /* 1 + where it stands among those that are told just now */
} lv_spot;

enum { LV_WATCHSET_BATCH = 128 };

struct lv_watchset {
  int fd;
  uv_poll_t poll; /* of fd; it keeps the loop alive while something is wanted */
  size_t wanted;
  lv_spot *batch[LV_WATCHSET_BATCH]; /* who is told now, NULL: not any more */
};

int lv_watchset_open(lv_watchset *s, uv_loop_t *loop); /* 0 or -errno */

/* All must be off. uv's handle dies in the next turn; then fini. */
void lv_watchset_close(lv_watchset *s);
void lv_watchset_fini(lv_watchset *s);

/* Have fn called in each turn in which the fd can be read. 0 or -errno. The fd
 * stays the caller's, and must be off before it is closed. */
int lv_spot_on(lv_spot *spot, lv_watchset *s, int fd);
void lv_spot_off(lv_spot *spot); /* twice is harmless */

/* Not while it is not wanted; nothing, for one that is off. Never fails. */
void lv_spot_want(lv_spot *spot, bool wanted);

static inline bool lv_spot_is_on(const lv_spot *spot) {
  return spot->set != NULL;
}

#endif
