/* os/rotate.h — The older files of a log: NAME.1, the newest, to NAME.keep,
 * each as it is or compressed, NAME.1.gz. All of it may block: it is called in
 * a thread. */
#ifndef LV_OS_ROTATE_H
#define LV_OS_ROTATE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
  unsigned keep;  /* how many may be there */
  uint64_t total; /* bytes that they and the log itself may have; 0: any */
  uint64_t own;   /* of these the log's own */
} lv_rotate_rules;

/* Make NAME NAME.1, after each older one has got the next number and what the
 * rules do not allow is gone. There is no NAME then. 0 or -errno: it is still
 * there. */
int lv_rotate(const char *name, const lv_rotate_rules *rules);

/* Remove what the rules do not allow. */
void lv_rotate_prune(const char *name, const lv_rotate_rules *rules);

/* Let a file be the compressed form of that rotated file, whatever its number
 * is by now. 0; -ENOENT: it is there no more; or another -errno. */
int lv_rotate_compressed(const char *name, const char *file, dev_t dev,
                         ino_t ino);

typedef struct {
  const char *name;
  size_t lines; /* how many, at most, … */
  size_t most;  /* … and how many bytes */
  int fd;       /* one of its files, to begin with, or -1: with the newest */
  off_t end;    /* … from here back */
} lv_tail_order;

typedef struct {
  lv_buf bytes;
  unsigned number; /* of the next older file, if that is a compressed one, … */
  size_t left;     /* … and how many lines of it are wanted; else 0 */
} lv_tail;

/* The last lines of the log, over as many of its files as it takes. A line in
 * which there are too many bytes is cut at its beginning. 0 or -errno; no file
 * at all is no error. */
int lv_rotate_tail(const lv_tail_order *order, lv_tail *out);

#endif
