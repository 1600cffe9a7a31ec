/* os/term.h — The modes of a terminal. */
#ifndef LV_OS_TERM_H
#define LV_OS_TERM_H

#include <stdbool.h>

/* Does it echo what is typed? By either end of a pseudo-terminal. 1, 0, or
 * -errno. */
int lv_term_echoes(int fd);

/* The character that stands for the end of input; -errno. */
int lv_term_eof_char(int fd);

/* 0 or -errno. */
int lv_term_get_size(int fd, int *rows, int *cols);

/* Hand each byte on as it is typed, and none of them is a signal; until
 * lv_term_restore. One terminal at a time: -EBUSY. 0 or -errno. */
int lv_term_make_raw(int fd);

/* The same again, after somebody else may have changed it. 0 or -errno. */
int lv_term_make_raw_again(void);

/* As it was. Nothing if no terminal is raw. May be called from a signal's
 * handler, by a program that is about to end. */
void lv_term_restore(void);

#endif
