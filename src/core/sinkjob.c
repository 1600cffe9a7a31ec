/* core/sinkjob.c — The half of a sink that runs in a thread: it writes what is
 * held, then moves what is in the pipe, until that is empty or others should
 * have a turn. What it cannot write it holds, and leaves the rest in the pipe,
 * so that whoever writes there waits. */
#include "core/sink.h"

#include "os/fd.h"

#include <errno.h>
#include <stdlib.h>

enum {
  CHUNK = 128 * 1024, /* bytes read at a time, where they cannot be spliced */
  TURN = 16 << 20,
  SHORT_TURN = 256 * 1024, /* where somebody reads along in memory */
  PIPE_SIZE = 65536        /* a pipe's size unless somebody changed it */
};

typedef struct {
  lv_sink *s;
  const lv_sink_task *task;
  lv_sink_report *report;
  unsigned files; /* that there were when it began */
} job;

static void do_merge(lv_sink *s) {
  lv_sink_merge_order *m = &s->merge;
  m->rc = lv_rotate_compressed(s->out.set.path, m->file, m->dev, m->ino);
}

static int prepare(job *j) {
  lv_sink *s = j->s;
  unsigned chores = j->task->chores;
  if (chores & LV_SINK_CHANGE) lv_sinkout_change(&s->out, &j->task->change);
  if (chores & LV_SINK_MERGE) do_merge(s);
  if (chores & LV_SINK_REOPEN) s->out.wants_reopen = true;
  j->files = s->out.files;
  return lv_sinkout_open(&s->out, j->task->again);
}

/* ---- reading ---- */

static bool is_mid_line(lv_sink *s) {
  return !lv_sinkout_at_start(&s->out, &s->held);
}

static ssize_t read_into(lv_buf *b, int fd) {
  int rc = lv_buf_reserve(b, CHUNK);
  if (rc < 0) return rc;
  ssize_t n = lv_fd_read(fd, b->data + b->tail, CHUNK);
  if (n > 0) b->tail += (size_t)n;
  return n;
}

/* What was read waits here until there is memory for it with its stamps. */
static int stamp_raw(lv_sink *s) {
  size_t n = lv_buf_size(&s->raw);
  if (n == 0) return 0;
  const lv_stamp stamp = lv_stamp_now(s->out.set.stamp);
  bool mid = is_mid_line(s);
  size_t done =
      lv_stamp_append(&s->held, &stamp, lv_buf_bytes(&s->raw), n, &mid);
  lv_buf_consume(&s->raw, done);
  return done < n ? -ENOMEM : 0;
}

/* Straight to where it is held, or by way of the stamps. There is room for the
 * copy before anything is read: whoever waits for a line must not miss it. */
static ssize_t read_some(job *j) {
  lv_sink *s = j->s;
  bool taps = j->task->tapping;
  int rc = taps ? lv_buf_reserve(&j->report->tap, CHUNK) : 0;
  if (rc < 0) return rc;
  lv_buf *to = s->out.set.stamp == LV_STAMP_NONE ? &s->held : &s->raw;
  ssize_t n = read_into(to, j->task->in);
  if (n <= 0) return n;
  if (taps) lv_buf_append(&j->report->tap, to->data + to->tail - n, (size_t)n);
  return n;
}

static ssize_t move_some(job *j) {
  ssize_t n = -EINVAL;
  if (!j->task->tapping) n = lv_sinkout_splice(&j->s->out, j->task->in);
  return n == -EINVAL ? read_some(j) : n;
}

/* ---- the job ---- */

/* Those who follow must be told of each file. */
static bool has_begun_file(const job *j) {
  return j->task->followed && j->s->out.files != j->files;
}

static bool should_stop(const job *j) {
  const lv_sink *s = j->s;
  uint64_t turn = TURN;
  if (j->task->tapping || s->out.followed) turn = SHORT_TURN;
  if (j->report->moved >= turn || has_begun_file(j)) return true;
  return atomic_load(&j->s->hurry) && (j->task->chores & LV_SINK_LAST) == 0;
}

/* Nothing comes any more: the line that the process left unfinished stands
 * alone. The newline that ends it is not held, as it is none of its bytes. */
static int finish(lv_sink *s) {
  if (s->out.kind == LV_SINK_CLOSED) return 0;
  int rc = stamp_raw(s);
  if (rc < 0) return rc;
  bool mid = is_mid_line(s);
  rc = mid ? lv_buf_append(&s->held, "\n", 1) : 0;
  if (rc == 0) rc = lv_sinkout_put(&s->out, &s->held, true);
  if (rc < 0 && mid && lv_buf_size(&s->held) > 0) s->held.tail--;
  return rc;
}

static int end_input(job *j) {
  j->report->ended = true;
  return finish(j->s);
}

/* An error of reading is the end, too: there is no way to go on. */
static int move(job *j) {
  lv_sink *s = j->s;
  for (;;) {
    int rc = stamp_raw(s);
    if (rc == 0 && !has_begun_file(j))
      rc = lv_sinkout_put(&s->out, &s->held, j->task->over);
    if (rc == 0 && should_stop(j)) {
      j->report->more = true;
      return 0;
    }
    if (rc < 0 || j->task->in < 0) return rc;
    ssize_t n = move_some(j);
    if (n == -EAGAIN) return 0;
    if (n == 0) return end_input(j);
    if (n < 0) return (int)n;
    if (n >= PIPE_SIZE) j->report->full = true;
    j->report->moved += (uint64_t)n;
  }
}

/* What little is held on to need not hold on to much memory. */
static void shrink(lv_buf *b) {
  lv_buf small = {0};
  size_t n = lv_buf_size(b);
  if (n > b->cap / 4 && n > 0) return;
  if (n > 0 && lv_buf_append(&small, lv_buf_bytes(b), n) < 0) return;
  lv_buf_fini(b);
  *b = small;
}

static int work(job *j) {
  lv_sink *s = j->s;
  if (j->task->chores & LV_SINK_CLOSE) {
    s->out.followed = false;
    int rc = finish(s);
    lv_sinkout_fini(&s->out);
    return rc;
  }
  int rc = prepare(j);
  if (rc == 0) rc = move(j);
  if (rc == 0 && j->task->over && !j->report->more) rc = finish(s);
  return rc;
}

void lv_sink_work(lv_sink *s, const lv_sink_task *task,
                  lv_sink_report *report) {
  job j = {.s = s, .task = task, .report = report};
  *report = (lv_sink_report){0};
  report->rc = work(&j);
  if (lv_buf_size(&s->raw) == 0) lv_buf_fini(&s->raw);
  shrink(&s->held);
}
