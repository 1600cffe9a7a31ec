/* os/tail.c — The last lines of a log, found from its end. See rotate.h.
 *
 * The bytes are put into memory from its end, too, so that none moves. The
 * files may be rotated meanwhile: then the next one is that which we have just
 * read, and is passed over. */
#include "os/rotate.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, MOST_FILES = 1000 };

typedef struct {
  char *memory;
  size_t at, end; /* the bytes are memory[at..end) */
  size_t wanted;  /* lines */
  size_t found;   /* that begin after a byte we have */
  bool done;      /* at is where the first wanted line begins, or is 0 */
  bool seeks;     /* the one that was read last */
  dev_t dev;      /* of the file that was read last */
  ino_t ino;
} job;

/* The bytes from `at` to `to` are new. */
static void scan(job *j, size_t to) {
  if (to == j->end && j->memory[to - 1] == '\n') to--;
  while (to > j->at) {
    const char *nl = memrchr(j->memory + j->at, '\n', to - j->at);
    if (nl == NULL) return;
    to = (size_t)(nl - j->memory);
    if (++j->found < j->wanted) continue;
    j->at = to + 1;
    j->done = true;
    return;
  }
}

static ssize_t read_piece(int fd, char *to, size_t n, off_t at) {
  ssize_t got;
  do
    got = pread(fd, to, n, at);
  while (got == -1 && errno == EINTR);
  return got == -1 ? -errno : got;
}

/* From `end` of the file backwards. 0 or -errno. */
static int read_file(job *j, int fd, off_t end) {
  while (end > 0 && !j->done) {
    size_t n = j->at < PIECE ? j->at : PIECE;
    if ((off_t)n > end) n = (size_t)end;
    if (n == 0) {
      j->done = true;
      return 0;
    }
    ssize_t got = read_piece(fd, j->memory + j->at - n, n, end - (off_t)n);
    if (got < 0) return (int)got;
    if ((size_t)got < n) { /* somebody has cut it */
      j->done = true;
      return 0;
    }
    size_t to = j->at;
    j->at -= n;
    end -= (off_t)n;
    scan(j, to);
  }
  return 0;
}

/* 0, also if it is the one that was read last, or -errno. Where the first was
 * given, those before it are newer. */
static int read_path(job *j, const char *path) {
  struct stat st;
  int fd = lv_fd_open(path, O_RDONLY | O_NONBLOCK, 0);
  if (fd < 0) return fd;
  int rc = fstat(fd, &st) == -1 ? -errno : 0;
  bool same = st.st_dev == j->dev && st.st_ino == j->ino;
  if (rc == 0 && S_ISREG(st.st_mode) && !same && !j->seeks) {
    j->dev = st.st_dev;
    j->ino = st.st_ino;
    rc = read_file(j, fd, st.st_size);
  }
  if (same) j->seeks = false;
  lv_fd_close(&fd);
  return rc;
}

static int read_first(job *j, int fd, off_t end) {
  struct stat st;
  if (fstat(fd, &st) == -1) return -errno;
  j->dev = st.st_dev;
  j->ino = st.st_ino;
  j->seeks = true;
  return read_file(j, fd, end);
}

static bool is_there(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0;
}

/* -ENOENT: there is no file of that number, as it is; number 0 is the log. */
static int read_number(job *j, const char *name, unsigned number) {
  char path[PATH_MAX];
  int n = number == 0 ? snprintf(path, sizeof path, "%s", name)
                      : snprintf(path, sizeof path, "%s.%u", name, number);
  return n < PATH_MAX ? read_path(j, path) : -ENAMETOOLONG;
}

static bool is_compressed(const char *name, unsigned number) {
  char path[PATH_MAX];
  int n = snprintf(path, sizeof path, "%s.%u.gz", name, number);
  return n < PATH_MAX && is_there(path);
}

/* Lines that begin in what was read; the first one has no byte before it. */
static size_t lines_of(const job *j) {
  return j->found + (j->at < j->end);
}

static int read_files(job *j, const char *name, unsigned *number) {
  for (unsigned i = 0; i < MOST_FILES && !j->done; i++) {
    int rc = read_number(j, name, i);
    if (rc == -ENOTDIR) rc = -ENOENT;
    if (rc == -ENOENT && i == 0) continue; /* as just after a rotation */
    if (rc == -ENOENT && !j->seeks && is_compressed(name, i)) *number = i;
    if (rc == -ENOENT) return 0;
    if (rc < 0) return rc;
  }
  return 0;
}

int lv_rotate_tail(const lv_tail_order *order, lv_tail *out) {
  *out = (lv_tail){.number = 0};
  if (order->lines == 0 || order->most == 0) return 0;
  job j = {.memory = malloc(order->most),
           .at = order->most,
           .end = order->most,
           .wanted = order->lines};
  if (j.memory == NULL) return -ENOMEM;
  int rc = order->fd >= 0 ? read_first(&j, order->fd, order->end) : 0;
  if (rc == 0) rc = read_files(&j, order->name, &out->number);
  size_t lines = lines_of(&j);
  if (lines < order->lines) out->left = order->lines - lines;
  if (out->number == 0) out->left = 0;
  if (out->left == 0) out->number = 0;
  if (rc == 0) rc = lv_buf_append(&out->bytes, j.memory + j.at, j.end - j.at);
  free(j.memory);
  return rc;
}
