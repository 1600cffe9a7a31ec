/* os/file.c — See file.h; lv_file_replace is in replace.c. */
#include "os/file.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 4 << 20, LEAST = 64 * 1024 };

static int fail(lv_fault *fault, const char *op, int rc) {
  fault->op = op;
  return rc;
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* The size is a guess: /proc says 0 of files that have contents. One byte more
 * is asked for, so that the end is seen without another piece. */
static int read_all(int fd, size_t size, size_t most, lv_buf *out,
                    const lv_flag *stop) {
  int rc = lv_buf_reserve(out, least(size, most) + LEAST);
  while (rc == 0) {
    if (atomic_load(stop)) return -ECANCELED;
    rc = lv_buf_reserve(out, LEAST);
    if (rc < 0) return rc;
    ssize_t n =
        lv_fd_read(fd, out->data + out->tail, least(lv_buf_room(out), PIECE));
    if (n <= 0) return (int)n;
    out->tail += (size_t)n;
    if (lv_buf_size(out) > most) return -EFBIG;
  }
  return rc;
}

/* Of a pipe that never had a writer poll(2) does not tell that it is at its
 * end; read(2) does. 0 at the end, -EAGAIN: there is more to come. */
static int read_some(int fd, size_t most, lv_buf *out) {
  int rc = lv_buf_reserve(out, LEAST);
  if (rc < 0) return rc;
  ssize_t n = lv_fd_read(fd, out->data + out->tail, LEAST);
  if (n <= 0) return (int)n;
  out->tail += (size_t)n;
  return lv_buf_size(out) > most ? -EFBIG : -EAGAIN;
}

int lv_file_read(const char *path, size_t most, lv_buf *out, int *fd,
                 const lv_flag *stop, lv_fault *fault) {
  struct stat st;
  *fd = -1;
  int file = lv_fd_open(path, O_RDONLY | O_NONBLOCK, 0);
  if (file < 0) return fail(fault, "open", file);
  int rc = fstat(file, &st) == -1 ? -errno : 0;
  if (rc == 0 && S_ISDIR(st.st_mode)) rc = -EISDIR;
  bool is_file = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
  if (rc == 0 && is_file)
    rc = read_all(file, (size_t)st.st_size, most, out, stop);
  else if (rc == 0)
    rc = read_some(file, most, out);
  if (rc == -EAGAIN && !is_file) {
    *fd = file;
    return 0;
  }
  lv_fd_close(&file);
  return rc < 0 ? fail(fault, "read", rc) : 0;
}

int lv_file_put(int fd, const char *bytes, size_t n, const lv_flag *stop) {
  while (n > 0) {
    if (stop && atomic_load(stop)) return -ECANCELED;
    const struct iovec piece = {(char *)bytes, least(n, PIECE)};
    ssize_t put = lv_fd_writev(fd, &piece, 1);
    if (put < 0) return (int)put;
    bytes += put;
    n -= (size_t)put;
  }
  return 0;
}

int lv_file_set_ids(int fd, int mode) {
  if (mode < 0 || (mode & LV_FILE_SET_IDS) == 0) return 0;
  return fchmod(fd, (mode_t)mode) == -1 ? -errno : 0;
}

int lv_file_close(int *fd) {
  int rc = close(*fd) == -1 && errno != EINTR ? -errno : 0;
  *fd = -1;
  return rc;
}

static int empty(int file) {
  int rc;
  do
    rc = ftruncate(file, 0);
  while (rc == -1 && errno == EINTR);
  return rc;
}

/* Emptied here and not by open(2), which would do it before the permissions
 * are right. */
static int fill(int file, const lv_contents *c, bool append, lv_fault *fault) {
  if (c->mode >= 0 && fchmod(file, (mode_t)c->mode) == -1)
    return fail(fault, "chmod", -errno);
  if (!append && empty(file) == -1) return fail(fault, "truncate", -errno);
  int rc = lv_file_put(file, c->bytes, c->n, NULL);
  if (rc < 0) return fail(fault, "write", rc);
  rc = lv_file_set_ids(file, c->mode);
  return rc < 0 ? fail(fault, "chmod", rc) : 0;
}

int lv_file_write(const char *path, const lv_contents *c, int append, int *fd,
                  lv_fault *fault) {
  struct stat st;
  *fd = -1;
  int flags = O_WRONLY | O_CREAT | O_NONBLOCK | (append ? O_APPEND : 0);
  mode_t mode = c->mode >= 0 ? (mode_t)c->mode : 0666;
  int file = lv_fd_open(path, flags, mode);
  if (file < 0) return fail(fault, "open", file);
  int rc = fstat(file, &st) == -1 ? fail(fault, "open", -errno) : 0;
  if (rc == 0 && !S_ISREG(st.st_mode)) {
    *fd = file;
    return 0;
  }
  if (rc == 0) rc = fill(file, c, append, fault);
  int closed = lv_file_close(&file);
  return rc == 0 && closed < 0 ? fail(fault, "write", closed) : rc;
}

int lv_path_split(const char *path, char **dir, char **base) {
  size_t end = strlen(path);
  while (end > 0 && path[end - 1] == '/')
    end--;
  if (end == 0) return -EINVAL;
  size_t start = end;
  while (start > 0 && path[start - 1] != '/')
    start--;
  *dir = start > 0 ? strndup(path, start) : strdup(".");
  *base = strndup(path + start, end - start);
  if (*dir && *base) return 0;
  free(*dir);
  free(*base);
  return -ENOMEM;
}
