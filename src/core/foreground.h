/* core/foreground.h — Lend the terminal to a child while it runs.
 *
 * A child in a process group of its own may not read a terminal unless its
 * group is the foreground one. It makes itself so before exec; here is the
 * rest of what a shell does: take the terminal back, and stop together. */
#ifndef LV_CORE_FOREGROUND_H
#define LV_CORE_FOREGROUND_H

#include "core/proc.h"
#include "core/runtime.h"

#include <stdbool.h>

typedef struct {
  lv_proc *p; /* NULL: nothing is lent */
  int tty;    /* a descriptor of ours */
  lv_sub sub; /* SIGCHLD: a pidfd does not tell of a stop */
} lv_foreground;

/* The terminal is ours to lend: we are its foreground, and nobody has it. */
bool lv_foreground_is_free(lv_rt *rt, int tty);

void lv_foreground_init(lv_foreground *f);
void lv_foreground_begin(lv_foreground *f, lv_proc *p, int tty);

/* Take it back; whether it was lent. Twice is harmless. */
bool lv_foreground_end(lv_foreground *f);

#endif
