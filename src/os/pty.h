/* os/pty.h — A new pseudo-terminal pair. */
#ifndef LV_OS_PTY_H
#define LV_OS_PTY_H

#include <stdbool.h>

typedef struct {
  int rows, cols; /* 0: 24 and 80 */
  bool echo;
} lv_pty_opts;

/* Both ends CLOEXEC, neither non-blocking; 0 or -errno. */
int lv_pty_open(const lv_pty_opts *opts, int *master, int *slave);
int lv_pty_resize(int fd, int rows, int cols); /* 0 or -errno */

#endif
