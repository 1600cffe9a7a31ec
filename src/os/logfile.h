/* os/logfile.h — A file that grows at its end, by one writer. All of it may
 * block: it is called in a thread. */
#ifndef LV_OS_LOGFILE_H
#define LV_OS_LOGFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
  int fd;        /* -1: not open */
  bool regular;  /* else it is neither spliced to nor rotated */
  bool torn;     /* it was found to end in the midst of a line */
  int at_start;  /* of a line; -1: not known */
  uint64_t size; /* where the next byte goes */
  uint64_t from; /* … and went first */
  dev_t dev;
  ino_t ino;
} lv_logfile;

/* Open it, made if need be, and the folders above it; nobody else may have done
 * so (-EBUSY). 0 or -errno. */
int lv_logfile_open(lv_logfile *f, const char *path);
void lv_logfile_close(lv_logfile *f); /* one that is not open: harmless */

/* Before a number of writes: if somebody cut it, its end is where that is now.
 * false: nobody will find it again, as it was removed. */
bool lv_logfile_look(lv_logfile *f);

/* Is it what the path names? */
bool lv_logfile_is(const lv_logfile *f, const char *path);

/* Bytes, maybe less than n, or -errno: -EAGAIN if it is a pipe whose reader had
 * a tenth of a second for them. */
ssize_t lv_logfile_write(lv_logfile *f, const char *bytes, size_t n);
/* The same from a pipe; 0: that is at its end, -EAGAIN: it is empty, -EINVAL:
 * this cannot be done. */
ssize_t lv_logfile_splice(lv_logfile *f, int pipe, size_t n);

/* Would the next byte begin a line? */
bool lv_logfile_at_start(lv_logfile *f);

#endif
