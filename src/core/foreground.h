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
  lv_rt *rt;
  lv_proc *p; /* NULL: it has none */
  int tty;    /* a descriptor of ours, or -1 */
  lv_sub sub; /* CONT: we may be the foreground again, or not any more */
} lv_foreground;

/* The terminal is ours to lend: we are its foreground, and nobody has it. */
bool lv_foreground_is_free(const lv_rt *rt, int tty);

void lv_foreground_init(lv_foreground *f);

/* p has made itself the foreground. Takes over tty. */
void lv_foreground_begin(lv_foreground *f, lv_proc *p, int tty);

/* p has ended: take the terminal back; whether p had it. Twice is harmless. */
bool lv_foreground_end(lv_foreground *f);

#endif
