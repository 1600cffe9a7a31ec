/* core/sink.c — See sink.h.
 *
 * A disk may be slow, so a thread does all that touches it: one job at a time
 * for each sink, which meanwhile has the pipe, too. When the pipe says that
 * there is something, its watch goes off and a job is made; that moves all
 * there is (sinkjob.c), and when it is done the watch goes on again.
 *
 * When writing fails, the job is tried again a moment later. What was read is
 * held, the rest stays in the pipe, and the process waits in its write. With
 * `drop` it shall not: there the loop reads the pipe into memory (sinkinput.c),
 * and the job only writes.
 *
 * go_on is the one place that says what comes next. */
#include "core/sink.h"

#include "os/fd.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_JOBS = 3 }; /* of the four threads that libuv has */

static const double FIRST_DELAY = 0.1, LAST_DELAY = 1;

struct lv_sinks {
  lv_list waiting; /* lv_sink.link: for a thread */
  int running;
  int refs;
};

typedef struct {
  uv_work_t req;
  lv_sink *s;
  lv_sink_task task;
  lv_sink_report report;
} job;

lv_sinks *lv_sinks_new(void) {
  lv_sinks *hub = calloc(1, sizeof *hub);
  if (hub == NULL) return NULL;
  lv_list_init(&hub->waiting);
  hub->refs = 1;
  return hub;
}

void lv_sinks_unref(lv_sinks *hub) {
  if (--hub->refs == 0) free(hub);
}

/* ---- what comes next ---- */

bool lv_sink_has_done(const lv_sink *s, unsigned chores) {
  return ((s->chores | s->doing) & chores) == 0;
}

size_t lv_sink_held(const lv_sink *s) {
  return lv_buf_size(&s->held) + lv_buf_size(&s->raw);
}

static bool has_something(const lv_sink *s) {
  return lv_sink_held(s) > 0 || lv_buf_size(&s->backlog.bytes) > 0;
}

bool lv_sink_is_drained(const lv_sink *s) {
  return s->in < 0 && !s->busy && !s->due && !has_something(s);
}

/* While it has failed, `due` alone says that it is time to try again. */
static bool has_work(const lv_sink *s) {
  if (s->chores != 0) return true;
  if (s->due || s->error < 0) return s->due;
  return lv_buf_size(&s->backlog.bytes) > 0 ||
         (s->in < 0 && lv_sink_held(s) > 0);
}

static void start(lv_sink *s);

static void submit(lv_sink *s) {
  s->busy = true;
  if (s->hub->running < MOST_JOBS)
    start(s);
  else
    lv_list_push(&s->hub->waiting, &s->link);
}

void lv_sink_go_on(lv_sink *s) {
  if (s->closed) return;
  if (!s->busy && s->closing && !has_work(s)) s->chores = LV_SINK_CLOSE;
  if (s->busy && s->chores != 0) atomic_store(&s->hurry, true);
  if (!s->busy && has_work(s)) submit(s);
  lv_sink_watch(s);
}

static void on_timer(lv_timer *timer) {
  lv_sink *s = LV_OF(timer, lv_sink, timer);
  if (s->busy)
    s->slow = true;
  else if (s->error < 0)
    s->due = true;
  else
    lv_sink_take_input(s);
  lv_sink_go_on(s);
}

void lv_sink_hurry(lv_sink *s) {
  bool pausing = lv_timer_is_running(&s->timer) && !s->busy && s->error == 0;
  if (!pausing) return;
  lv_timer_stop(&s->rt->timers, &s->timer);
  on_timer(&s->timer);
}

/* ---- the job, as the loop sees it ---- */

static unsigned note_success(lv_sink *s) {
  bool told = s->told;
  s->error = 0;
  s->told = false;
  s->delay = FIRST_DELAY;
  return told ? LV_SINK_RELIEVED : 0;
}

/* Whoever only needs a little longer to take it is not in trouble. */
static unsigned note_failure(lv_sink *s, int rc) {
  s->error = rc;
  if (!s->closing) lv_timer_start(&s->rt->timers, &s->timer, s->delay);
  bool tell = !s->told && (rc != -EAGAIN || s->delay >= LAST_DELAY);
  s->delay = s->delay * 2 < LAST_DELAY ? s->delay * 2 : LAST_DELAY;
  if (tell) s->told = true;
  return tell ? LV_SINK_PRESSED : 0;
}

static unsigned note_rotation(lv_sink *s) {
  unsigned news = 0;
  s->size = s->out.file.size;
  if (s->out.rotations != s->rotations) news |= LV_SINK_ROTATED;
  if (s->out.rotate_error < 0 && s->rotate_error == 0)
    news |= LV_SINK_UNROTATED;
  s->rotations = s->out.rotations;
  s->rotate_error = s->out.rotate_error;
  return news;
}

static unsigned note_end(lv_sink *s) {
  s->closed = true;
  s->chores = 0;
  s->lost = lv_sink_held(s) + lv_buf_size(&s->backlog.bytes) + s->unread;
  lv_buf_fini(&s->held);
  lv_buf_fini(&s->raw);
  lv_backlog_fini(&s->backlog);
  return s->lost > 0 ? LV_SINK_LOST : 0;
}

static void free_sink(lv_sink *s) {
  assert(lv_list_is_empty(&s->followers));
  lv_buf_fini(&s->tap);
  lv_buf_fini(&s->recent);
  free(s->merge.file);
  lv_sinks_unref(s->hub);
  free(s);
}

/* Only what was tapped while nothing waited there is tapped. */
static bool take_tap(lv_sink *s, lv_buf *tap) {
  if (s->tapping && lv_buf_size(tap) > 0) {
    s->tap = *tap;
    *tap = (lv_buf){0};
  }
  lv_buf_fini(tap);
  return lv_buf_size(&s->tap) > 0;
}

/* Has it all of what was in the pipe when it was to be closed? Others may write
 * for ever. */
static bool is_taken(lv_sink *s, const lv_sink_task *task,
                     const lv_sink_report *report) {
  if ((task->chores & LV_SINK_LAST) == 0) return false;
  if (report->rc < 0 || !report->more || report->moved >= s->last) return true;
  s->last -= report->moved;
  s->chores |= LV_SINK_LAST;
  return false;
}

static unsigned settle(lv_sink *s, const lv_sink_task *task,
                       lv_sink_report *report) {
  unsigned news = 0;
  s->bytes += report->moved;
  s->moved = s->drop ? s->lent : report->moved;
  s->done_at = uv_hrtime();
  s->due = s->due || report->more;
  s->lent = lv_sink_held(s);
  news |= report->rc < 0 ? note_failure(s, report->rc) : note_success(s);
  if (report->full) lv_sink_widen(s);
  if (report->ended || is_taken(s, task, report)) lv_sink_close_input(s);
  if (task->chores & LV_SINK_CLOSE) return news | note_end(s);
  lv_sink_open_end(s);
  news |= note_rotation(s);
  lv_sink_tell_followers(s);
  if (take_tap(s, &report->tap)) news |= LV_SINK_TAPPED;
  if (report->rc == 0 && lv_sink_mend(s)) news |= LV_SINK_GAP;
  return news;
}

static void start_next(lv_sinks *hub) {
  while (hub->running < MOST_JOBS) {
    lv_list *node = lv_list_pop(&hub->waiting);
    if (node == NULL) return;
    start(LV_OF(node, lv_sink, link));
  }
}

/* What is told may let go of the sink. */
static void on_done(uv_work_t *req, int status) {
  job *j = req->data;
  lv_sink *s = j->s;
  (void)status;
  s->hub->running--;
  start_next(s->hub);
  s->busy = s->slow = false;
  s->doing = 0;
  lv_timer_stop(&s->rt->timers, &s->timer);
  unsigned news = settle(s, &j->task, &j->report);
  free(j);
  if (s->fn) s->fn(s, news, s->arg);
  if (s->closed && s->fn == NULL)
    free_sink(s);
  else
    lv_sink_go_on(s);
}

static void on_work(uv_work_t *req) {
  job *j = req->data;
  lv_sink_work(j->s, &j->task, &j->report);
}

/* What waits comes behind what is held, of which there is only the beginning of
 * a line unless it could not be written. */
static void take_backlog(lv_sink *s) {
  const lv_buf *waiting = &s->backlog.bytes;
  size_t n = lv_buf_size(waiting);
  if (n == 0 || lv_buf_size(&s->raw) > 0) return;
  if (lv_buf_size(&s->held) == 0) {
    lv_backlog_take(&s->backlog, &s->held);
    return;
  }
  if (s->error < 0 || lv_buf_append(&s->held, lv_buf_bytes(waiting), n) < 0)
    return;
  lv_buf taken = {0};
  lv_backlog_take(&s->backlog, &taken);
  lv_buf_fini(&taken);
}

static lv_sink_task make_task(lv_sink *s) {
  s->drop = s->wants_drop;
  take_backlog(s);
  bool reads = !s->drop && lv_buf_size(&s->tap) == 0;
  lv_sink_task task = {
      .in = reads ? s->in : -1,
      .chores = s->chores,
      .again = s->error < 0,
      .over = s->in < 0 && lv_buf_size(&s->backlog.bytes) == 0,
      .tapping = s->tapping,
      .followed = !lv_list_is_empty(&s->followers),
  };
  if (s->change) task.change = *s->change;
  free(s->change);
  s->change = NULL;
  s->out.followed = task.followed;
  s->lent = lv_sink_held(s);
  lv_timer_stop(&s->rt->timers, &s->timer);
  s->doing = s->chores;
  s->chores = 0;
  s->due = false;
  atomic_store(&s->hurry, false);
  return task;
}

static void start(lv_sink *s) {
  job *j = malloc(sizeof *j);
  if (j == NULL) {
    s->busy = false;
    note_failure(s, -ENOMEM);
    lv_timer_start(&s->rt->timers, &s->timer, s->delay);
    return;
  }
  *j = (job){.req.data = j, .s = s, .task = make_task(s)};
  s->hub->running++;
  uv_queue_work(&s->rt->loop, &j->req, on_work, on_done);
}

/* ---- what the owner asks for ---- */

int lv_sink_open(lv_sink **out, lv_sinks *hub, lv_rt *rt,
                 const lv_sink_settings *set, lv_sink_fn fn, void *arg) {
  lv_sink *s = calloc(1, sizeof *s);
  if (s == NULL) return -ENOMEM;
  s->rt = rt;
  s->hub = hub;
  s->fn = fn;
  s->arg = arg;
  s->in = s->end = -1;
  s->timer.fn = on_timer;
  s->delay = FIRST_DELAY;
  s->drop = s->wants_drop = set->drop;
  s->stamp = set->stamp;
  lv_list_init(&s->link);
  lv_list_init(&s->followers);
  lv_sinkout_init(&s->out, set);
  atomic_init(&s->hurry, false);
  hub->refs++;
  *out = s;
  return 0;
}

void lv_sink_do(lv_sink *s, unsigned chores) {
  if (s->closing) return;
  s->chores |= chores;
  lv_sink_go_on(s);
}

int lv_sink_change(lv_sink *s, const lv_sink_settings *set) {
  if (s->closing) return -EBADF;
  lv_sink_settings *change = s->change ? s->change : calloc(1, sizeof *change);
  if (change == NULL) return -ENOMEM;
  lv_sink_settings_fini(change);
  *change = *set;
  s->change = change;
  s->wants_drop = set->drop;
  s->stamp = set->stamp;
  lv_sink_do(s, LV_SINK_CHANGE);
  return 0;
}

int lv_sink_merge(lv_sink *s, const char *file, dev_t dev, ino_t ino) {
  if (s->merge.file) return -EBUSY;
  s->merge =
      (lv_sink_merge_order){.file = strdup(file), .dev = dev, .ino = ino};
  if (s->merge.file == NULL) return -ENOMEM;
  lv_sink_do(s, LV_SINK_MERGE);
  return 0;
}

void lv_sink_tap(lv_sink *s, bool on) {
  s->tapping = on;
  if (!on) lv_sink_taken(s);
}

void lv_sink_taken(lv_sink *s) {
  lv_buf_fini(&s->tap);
  lv_sink_go_on(s);
}

static void take_last(lv_sink *s) {
  int n = lv_fd_unread(s->in);
  s->last = n > 0 ? (uint64_t)n : 0;
  s->chores |= LV_SINK_LAST;
}

/* Nothing is there that could take long: no job, to which `out` belongs, no
 * file, and nobody who reads. */
static bool closes_at_once(const lv_sink *s) {
  if (!lv_sink_is_drained(s) || s->chores != 0) return false;
  if (!lv_list_is_empty(&s->followers)) return false;
  return s->out.kind == LV_SINK_NULL || s->out.kind == LV_SINK_CLOSED;
}

static void close_at_once(lv_sink *s) {
  lv_sinkout_fini(&s->out);
  note_end(s);
  if (s->fn) s->fn(s, 0, s->arg);
}

void lv_sink_close(lv_sink *s) {
  if (s->closing) return;
  s->closing = true;
  s->tapping = false;
  lv_buf_fini(&s->tap);
  lv_sink_handed(s);
  lv_timer_stop(&s->rt->timers, &s->timer);
  if (s->in >= 0 && s->drop)
    lv_sink_read_rest(s);
  else if (s->in >= 0)
    take_last(s);
  if (closes_at_once(s)) {
    close_at_once(s);
    return;
  }
  s->due = !lv_sink_is_drained(s);
  lv_sink_go_on(s);
}

void lv_sink_release(lv_sink *s) {
  s->fn = NULL;
  lv_sink_close(s);
  if (s->closed) free_sink(s);
}
