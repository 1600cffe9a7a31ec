/* core/sinkinput.c — The pipe of a sink; see sink.h.
 *
 * With `drop` the loop itself reads what comes into the backlog. As long as the
 * disk is well it does not read more than it has room for. Only when writing
 * has failed, or a job takes longer than a moment, what comes is dropped. */
#include "core/sink.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
  MOST = 1 << 20,     /* bytes that wait in memory */
  TURN = 1 << 20,     /* bytes after which others get a turn */
  LITTLE = 16 * 1024, /* bytes that are hardly worth a job */
  PIPE_SIZE = 65536
};

static const double PATIENCE = 0.1; /* s, after which a job is slow */
static const double PAUSE = 0.005;
static const uint64_t SOON = 2000000; /* ns after a job */

/* ---- reading into memory ---- */

static bool is_in_trouble(const lv_sink *s) {
  return s->error < 0 || s->slow;
}

static size_t room(const lv_sink *s) {
  return s->lent < MOST ? MOST - s->lent : 0;
}

/* For room, as the disk is well. */
static bool must_wait(const lv_sink *s) {
  if (is_in_trouble(s)) return false;
  return s->backlog.lost > 0 ||
         lv_buf_size(&s->backlog.bytes) + sizeof s->rt->scratch > room(s);
}

/* There is room for the copy before anything is read: whoever waits for a line
 * must not miss it. Else it is looked for again a little later. */
static bool can_tap(lv_sink *s) {
  if (!s->tapping || s->closing) return true;
  if (lv_buf_reserve(&s->tap, sizeof s->rt->scratch) == 0) return true;
  lv_timer_start(&s->rt->timers, &s->timer, PAUSE);
  return false;
}

static void take(lv_sink *s, const lv_stamp *stamp, size_t n) {
  const char *bytes = s->rt->scratch;
  size_t most = is_in_trouble(s) || s->closing ? room(s) : SIZE_MAX;
  s->bytes += n;
  if (s->tapping) lv_buf_append(&s->tap, bytes, n);
  lv_backlog_put(&s->backlog, stamp, bytes, n, most);
  if (n >= PIPE_SIZE) lv_sink_widen(s);
}

static void read_some(lv_sink *s) {
  const lv_stamp stamp = lv_stamp_now(s->stamp);
  for (size_t turn = 0; turn < TURN && s->in >= 0;) {
    if (must_wait(s) && !s->closing) return;
    if (!can_tap(s)) return;
    ssize_t n = lv_fd_read(s->in, s->rt->scratch, sizeof s->rt->scratch);
    if (n == -EAGAIN) return;
    if (n <= 0) {
      lv_sink_close_input(s);
      s->due = true;
      return;
    }
    take(s, &stamp, (size_t)n);
    turn += (size_t)n;
  }
}

static void read_on(lv_sink *s) {
  read_some(s);
  if (s->busy && must_wait(s) && !lv_timer_is_running(&s->timer))
    lv_timer_start(&s->rt->timers, &s->timer, PATIENCE);
  if (s->fn && lv_buf_size(&s->tap) > 0) s->fn(s, LV_SINK_TAPPED, s->arg);
}

void lv_sink_read_rest(lv_sink *s) {
  read_some(s);
  lv_sink_close_input(s);
}

/* ---- the gap ---- */

static size_t format_gap(const lv_sink *s, char *text, size_t size) {
  const lv_stamp stamp = lv_stamp_now(s->stamp);
  int n = snprintf(text, size,
                   "%.*sluvisor: %" PRIu64 " bytes in %" PRIu64
                   " lines are missing here: they could not be written\n",
                   (int)stamp.n, stamp.text, s->gap_bytes, s->gap_lines);
  return (size_t)n;
}

bool lv_sink_mend(lv_sink *s) {
  char text[200];
  if (!lv_backlog_is_at_gap(&s->backlog, s->in < 0)) return false;
  s->gap_bytes = s->backlog.lost;
  s->gap_lines = s->backlog.lines;
  size_t n = format_gap(s, text, sizeof text);
  if (lv_backlog_mend(&s->backlog, text, n) < 0) return false;
  s->dropped += s->gap_bytes;
  return true;
}

/* ---- the pipe ---- */

/* A job takes longer than to write a line does. Of those who write one after
 * the other, a number is collected. */
static bool should_pause(const lv_sink *s) {
  return !s->busy && s->error == 0 && !s->tapping && s->moved < LITTLE &&
         uv_hrtime() - s->done_at < SOON;
}

static bool is_pausing(const lv_sink *s) {
  return lv_timer_is_running(&s->timer) && !s->busy && s->error == 0;
}

static bool wants_input(const lv_sink *s) {
  size_t tapped = lv_buf_size(&s->tap);
  if (is_pausing(s)) return false;
  if (s->drop) return tapped < MOST && !must_wait(s);
  return !s->busy && !s->due && s->error == 0 && s->chores == 0 && tapped == 0;
}

void lv_sink_watch(lv_sink *s) {
  lv_spot_want(&s->spot, wants_input(s));
}

void lv_sink_take_input(lv_sink *s) {
  if (s->drop)
    read_on(s);
  else
    s->due = true;
}

/* A pipe that is at its end, and nothing is to be written for that: most
 * processes that end have written nothing since the last job. */
static bool has_ended_quietly(const lv_sink *s) {
  bool idle = !s->busy && !s->due && !s->drop && s->chores == 0;
  return idle && s->error == 0 && !s->closing && lv_sink_held(s) == 0 &&
         lv_buf_size(&s->backlog.bytes) == 0 &&
         lv_sinkout_is_surely_at_start(&s->out) && lv_fd_pipe_is_at_end(s->in);
}

static void end_quietly(lv_sink *s) {
  lv_sink_close_input(s);
  if (s->fn) s->fn(s, 0, s->arg);
}

static void on_readable(void *arg) {
  lv_sink *s = arg;
  if (has_ended_quietly(s)) {
    end_quietly(s);
    return;
  }
  if (should_pause(s))
    lv_timer_start(&s->rt->timers, &s->timer, PAUSE);
  else
    lv_sink_take_input(s);
  lv_sink_go_on(s);
}

void lv_sink_widen(lv_sink *s) {
  if (s->in < 0 || !s->may_widen) return;
  s->may_widen = false;
  s->wide = lv_rt_widen(s->rt, s->in);
}

void lv_sink_close_input(lv_sink *s) {
  lv_spot_off(&s->spot);
  if (s->wide) lv_rt_unwiden(s->rt);
  s->wide = false;
  if (s->closing && s->in >= 0) {
    int n = lv_fd_unread(s->in);
    if (n > 0) s->unread += (size_t)n;
  }
  lv_fd_close(&s->in);
}

static int open_pipe(lv_sink *s) {
  int ends[2];
  int rc = lv_fd_pipe(ends);
  if (rc < 0) return rc;
  rc = lv_fd_set_nonblocking(ends[0], true);
  s->spot = (lv_spot){.fn = on_readable, .arg = s};
  if (rc == 0) rc = lv_spot_on(&s->spot, &s->rt->seldom, ends[0]);
  if (rc < 0) {
    lv_fd_close(&ends[0]);
    lv_fd_close(&ends[1]);
    return rc;
  }
  s->in = ends[0];
  s->end = ends[1];
  s->may_widen = true;
  return 0;
}

/* A process finds its end blocking, as it is used to. */
static int open_end_again(lv_sink *s) {
  int end = lv_fd_reopen(s->in, O_WRONLY);
  int rc = end < 0 ? end : lv_fd_set_nonblocking(end, false);
  s->wants_end = false;
  if (rc == 0)
    s->end = end;
  else
    lv_fd_close(&end);
  return rc;
}

void lv_sink_open_end(lv_sink *s) {
  if (s->wants_end && s->in >= 0) open_end_again(s);
}

static int open_end(lv_sink *s) {
  if (s->in < 0) return open_pipe(s);
  s->wants_end = s->busy;
  return s->busy ? -EAGAIN : open_end_again(s);
}

int lv_sink_input(lv_sink *s, int *fd) {
  if (s->closing) return -EBADF;
  int rc = s->end < 0 ? open_end(s) : 0;
  if (rc < 0) return rc;
  lv_sink_watch(s);
  *fd = s->end;
  return 0;
}

void lv_sink_handed(lv_sink *s) {
  lv_fd_close(&s->end);
}
