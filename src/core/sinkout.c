/* core/sinkout.c — See sinkout.h. What becomes of a file is in sinkfile.c. */
#include "core/sinkout.h"

#include "core/sinkfile.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
  LONG_LINE = 64 * 1024, /* is written to what we share before its end */
  PATIENCE = 100         /* ms that a slow reader of what we share has */
};

void lv_sink_settings_fini(lv_sink_settings *set) {
  free(set->path);
  free(set->other);
  free(set->name);
  *set = (lv_sink_settings){.target = LV_SINK_CLOSED};
}

void lv_sinkout_init(lv_sinkout *out, const lv_sink_settings *set) {
  *out = (lv_sinkout){.set = *set,
                      .kind = LV_SINK_CLOSED,
                      .file = {.fd = -1, .at_start = 1},
                      .sock.fd = -1,
                      .io.fd = -1};
}

static void close_all(lv_sinkout *out) {
  lv_logfile_close(&out->file);
  lv_logsock_close(&out->sock);
  lv_fd_close(&out->io.fd);
  out->kind = LV_SINK_CLOSED;
}

void lv_sinkout_fini(lv_sinkout *out) {
  close_all(out);
  lv_sink_settings_fini(&out->set);
  lv_buf_fini(&out->fresh);
}

static bool same_text(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

void lv_sinkout_change(lv_sinkout *out, const lv_sink_settings *set) {
  if (set->target != out->set.target || set->fd != out->set.fd ||
      !same_text(set->path, out->set.path))
    out->wants_reopen = true;
  lv_sink_settings_fini(&out->set);
  out->set = *set;
  out->grown = 0;
  if (!out->wants_reopen && set->target == LV_SINK_FILE)
    lv_rotate_prune(set->path, &set->rules);
}

/* ---- opening ---- */

static int open_target(lv_sinkout *out) {
  switch (out->set.target) {
  case LV_SINK_FILE: return lv_sinkfile_open(out);
  case LV_SINK_JOURNAL:
    return lv_logsock_open(&out->sock, out->set.path, out->set.other);
  case LV_SINK_SHARED: return lv_io_share(out->set.fd, O_WRONLY, &out->io);
  default: return 0;
  }
}

static int reopen(lv_sinkout *out) {
  close_all(out);
  int rc = open_target(out);
  if (rc < 0) return rc;
  out->kind = out->set.target;
  out->wants_reopen = false;
  return 0;
}

static bool is_at_start(lv_sinkout *out) {
  return out->kind == LV_SINK_FILE ? lv_logfile_at_start(&out->file)
                                   : !out->mid;
}

static int reopen_if_due(lv_sinkout *out) {
  return out->wants_reopen && is_at_start(out) ? reopen(out) : 0;
}

/* A file that was removed, and after a failure one that its path does not name
 * any more; a socket whose other end may be another by now. */
static bool is_usable(lv_sinkout *out, bool again) {
  switch (out->kind) {
  case LV_SINK_CLOSED: return false;
  case LV_SINK_JOURNAL: return !again;
  case LV_SINK_FILE:
    if (!lv_logfile_look(&out->file)) return false;
    return !again || lv_logfile_is(&out->file, out->set.path);
  default: return true;
  }
}

int lv_sinkout_open(lv_sinkout *out, bool again) {
  return is_usable(out, again) ? reopen_if_due(out) : reopen(out);
}

/* ---- writing ---- */

void lv_sinkout_keep_newest(lv_buf *b) {
  const size_t most = LV_SINK_RECENT;
  size_t size = lv_buf_size(b);
  if (size > 2 * most) lv_buf_consume(b, size - most);
}

/* Remember the newest of them for those who look at it later. */
static void note_fresh(lv_sinkout *out, const char *bytes, size_t n) {
  lv_buf *fresh = &out->fresh;
  if (lv_buf_append(fresh, bytes, n) < 0 || out->followed) return;
  lv_sinkout_keep_newest(fresh);
}

static void take(lv_sinkout *out, lv_buf *bytes, size_t n) {
  const char *taken = lv_buf_bytes(bytes);
  out->mid = taken[n - 1] != '\n';
  note_fresh(out, taken, n);
  lv_buf_consume(bytes, n);
}

/* The next line of at most `most` bytes, or so much of it; *n is without its
 * newline, the result with it. 0: its end is not there yet. */
static size_t next_line(const lv_buf *bytes, bool over, size_t most,
                        size_t *n) {
  size_t size = lv_buf_size(bytes);
  size_t seen = size < most + 1 ? size : most + 1;
  size_t line = lv_line_first(lv_buf_bytes(bytes), seen);
  *n = line > 0 ? line - 1 : 0;
  if (line > 0) return line;
  if (size <= most && !over) return 0;
  *n = size < most ? size : most;
  return *n;
}

static int put_messages(lv_sinkout *out, lv_buf *bytes, bool over) {
  size_t n, line, most = out->sock.native ? LV_JOURNAL_LINE : LV_SYSLOG_LINE;
  while (lv_buf_size(bytes) > 0) {
    line = next_line(bytes, over, most, &n);
    if (line == 0) return 0;
    int rc = 0;
    if (n > 0)
      rc = lv_logsock_send(&out->sock, out->set.name, lv_buf_bytes(bytes), n);
    if (rc < 0) return rc;
    take(out, bytes, line);
  }
  return 0;
}

/* Never more than there is room for, as the thread would wait for it. */
static ssize_t write_shared(const lv_io *io, const char *bytes, size_t n) {
  const struct iovec piece = {(char *)bytes, n};
  if (io->mode == LV_IO_FILE) return lv_fd_writev(io->fd, &piece, 1);
  ssize_t put = lv_io_writev(io, &piece, 1);
  if (put != -EAGAIN) return put;
  struct pollfd p = {.fd = io->fd, .events = POLLOUT};
  poll(&p, 1, PATIENCE);
  return lv_io_writev(io, &piece, 1);
}

/* So many whole lines as a pipe takes at once, or in one piece; a longer one by
 * itself. Others write there, too. */
static size_t atomic_part(const lv_buf *bytes, bool over) {
  const char *at = lv_buf_bytes(bytes);
  size_t n = lv_buf_size(bytes);
  size_t part = lv_line_last(at, n < PIPE_BUF ? n : PIPE_BUF);
  if (part == 0) part = lv_line_first(at, n);
  if (part == 0 && (over || n >= LONG_LINE)) part = n;
  return part;
}

static int put_shared(lv_sinkout *out, lv_buf *bytes, bool over) {
  while (lv_buf_size(bytes) > 0) {
    size_t n = atomic_part(bytes, over);
    if (n == 0) return 0;
    ssize_t put = write_shared(&out->io, lv_buf_bytes(bytes), n);
    if (put < 0) return (int)put;
    take(out, bytes, (size_t)put);
  }
  return 0;
}

static int put_now(lv_sinkout *out, lv_buf *bytes, bool over) {
  switch (out->kind) {
  case LV_SINK_FILE: return lv_sinkfile_put(out, bytes);
  case LV_SINK_JOURNAL: return put_messages(out, bytes, over);
  case LV_SINK_SHARED: return put_shared(out, bytes, over);
  case LV_SINK_NULL: take(out, bytes, lv_buf_size(bytes)); return 0;
  default: return -EBADF;
  }
}

int lv_sinkout_put(lv_sinkout *out, lv_buf *bytes, bool over) {
  unsigned files = out->files;
  for (;;) {
    size_t n = lv_buf_size(bytes);
    if (n == 0) return 0;
    int rc = reopen_if_due(out);
    if (rc == 0 && out->followed && out->files != files) return 0;
    if (rc == 0) rc = put_now(out, bytes, over);
    if (rc < 0 || lv_buf_size(bytes) == n) return rc;
    if (out->followed && out->files != files) return 0;
  }
}

ssize_t lv_sinkout_splice(lv_sinkout *out, int pipe) {
  if (out->kind != LV_SINK_FILE || out->set.stamp != LV_STAMP_NONE ||
      out->wants_reopen || out->no_splice)
    return -EINVAL;
  return lv_sinkfile_splice(out, pipe);
}

bool lv_sinkout_is_surely_at_start(const lv_sinkout *out) {
  return out->kind == LV_SINK_FILE ? out->file.at_start == 1 : !out->mid;
}

bool lv_sinkout_at_start(lv_sinkout *out, const lv_buf *bytes) {
  size_t n = lv_buf_size(bytes);
  return n > 0 ? lv_buf_bytes(bytes)[n - 1] == '\n' : is_at_start(out);
}
