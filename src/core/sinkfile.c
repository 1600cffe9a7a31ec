/* core/sinkfile.c — See sinkfile.h.
 *
 * A file is full when the next line would make it bigger than max_size: then
 * that begins the next file. So it is never bigger, unless by a line that is
 * longer than a file may be, or that came in pieces. The last bytes before that
 * are read and looked at; those before them may be spliced. */
#include "core/sinkfile.h"

#include <errno.h>

enum {
  NEAR = 64 * 1024, /* the end of a file: from there on lines are looked at */
  PIECE = 1024 * 1024,
  GROWTH = 8 /* how often rotation is tried again until a file has doubled */
};

static int end_torn_line(lv_logfile *f) {
  if (!f->torn) return 0;
  ssize_t put = lv_logfile_write(f, "\n", 1);
  return put < 0 ? (int)put : 0;
}

int lv_sinkfile_open(lv_sinkout *out) {
  int rc = lv_logfile_open(&out->file, out->set.path);
  if (rc == 0) rc = end_torn_line(&out->file);
  if (rc < 0) {
    lv_logfile_close(&out->file);
    return rc;
  }
  out->no_splice = !out->file.regular;
  out->grown = 0;
  out->files++;
  return 0;
}

static bool is_rotated(const lv_sinkout *out) {
  return out->file.regular && out->set.max_size > 0 && !out->wants_reopen;
}

static uint64_t most_of(const lv_sinkout *out) {
  uint64_t most = out->set.max_size;
  return out->grown > most ? out->grown : most;
}

static size_t first_line(const char *bytes, size_t n) {
  size_t line = lv_line_first(bytes, n);
  return line > 0 ? line : n;
}

/* How many of the bytes belong into this file; 0: it is full. */
static size_t share(lv_sinkout *out, const char *bytes, size_t n) {
  lv_logfile *f = &out->file;
  if (out->wants_reopen) return first_line(bytes, n);
  if (!is_rotated(out)) return n;
  uint64_t most = most_of(out);
  uint64_t room = f->size < most ? most - f->size : 0;
  if (n <= room) return n;
  size_t whole = lv_line_last(bytes, (size_t)room);
  if (whole > 0) return whole;
  if (f->size > 0 && lv_logfile_at_start(f)) return 0;
  return first_line(bytes, n);
}

/* Somebody may have moved the file away: then there is nothing to rename. If it
 * cannot be rotated the file grows: to hold up the service would be worse. */
static int turn(lv_sinkout *out) {
  int rc = 0;
  if (lv_logfile_is(&out->file, out->set.path))
    rc = lv_rotate(out->set.path, &out->set.rules);
  out->rotate_error = rc;
  if (rc < 0) {
    out->grown = out->file.size + out->set.max_size / GROWTH + 1;
    return 0;
  }
  lv_logfile_close(&out->file);
  out->kind = LV_SINK_CLOSED;
  out->rotations++;
  rc = lv_sinkfile_open(out);
  if (rc == 0) out->kind = LV_SINK_FILE;
  return rc;
}

/* The same, after rotation if that is due; where it fails the next line is
 * written all the same. How many bytes, or -errno. */
static ssize_t share_or_turn(lv_sinkout *out, const char *bytes, size_t n) {
  size_t part = share(out, bytes, n);
  if (part > 0) return (ssize_t)part;
  int rc = turn(out);
  if (rc < 0) return rc;
  part = share(out, bytes, n);
  return (ssize_t)(part > 0 ? part : first_line(bytes, n));
}

int lv_sinkfile_put(lv_sinkout *out, lv_buf *bytes) {
  unsigned files = out->files;
  while (lv_buf_size(bytes) > 0) {
    const char *at = lv_buf_bytes(bytes);
    ssize_t rc = share_or_turn(out, at, lv_buf_size(bytes));
    if (rc > 0) rc = lv_logfile_write(&out->file, at, (size_t)rc);
    if (rc < 0) return (int)rc;
    lv_buf_consume(bytes, (size_t)rc);
    if (out->wants_reopen || (out->followed && out->files != files)) return 0;
  }
  return 0;
}

ssize_t lv_sinkfile_splice(lv_sinkout *out, int pipe) {
  size_t n = PIECE;
  if (is_rotated(out)) {
    uint64_t most = most_of(out);
    if (out->file.size + NEAR >= most) return -EINVAL;
    uint64_t room = most - NEAR - out->file.size;
    if (room < n) n = (size_t)room;
  }
  ssize_t moved = lv_logfile_splice(&out->file, pipe, n);
  if (moved == -EINVAL) out->no_splice = true;
  if (moved > 0) out->spliced += (uint64_t)moved;
  return moved;
}
