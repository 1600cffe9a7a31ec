/* os/lowfds.h — A few low descriptor numbers, kept for what a child is to get.
 * For spawn.c alone; see there for why. */
#ifndef LV_OS_LOWFDS_H
#define LV_OS_LOWFDS_H

#include <stdbool.h>

enum {
  LV_LOWFDS = 4,
  LV_LOWFDS_END = 64 /* below this a number is low: the kernel copies tables of
                        descriptors by so many */
};

typedef struct {
  int blank;             /* what the slots are while nothing is lent */
  int slots[LV_LOWFDS];  /* all CLOEXEC; -1 where there was none to have */
  int copied[LV_LOWFDS]; /* the descriptor that a slot is a copy of, or -1 */
} lv_lowfds;

/* Never fails: it keeps as many as there are. */
void lv_lowfds_init(lv_lowfds *low);
void lv_lowfds_fini(lv_lowfds *low);

/* A copy of fd in a slot, the same one each time; or fd if no slot is left. */
int lv_lowfds_lend(lv_lowfds *low, int fd);
void lv_lowfds_take_back(lv_lowfds *low); /* all that was lent */

/* Opens all numbers from LV_LOWFDS_END on, as many again. `made` are those that
 * were not open before; the caller closes them. false: they cannot be had. */
bool lv_lowfds_crowd(lv_lowfds *low, int made[LV_LOWFDS_END], int *n);

#endif
