/* bind/exchange.c — Wait for the end of a process and of what it writes, at
 * once: what communicate and run do.
 *
 * The task parks once. Meanwhile the readers collect into their buffers, and
 * tell us what they would tell their own box; nothing is taken, so whatever
 * ends the wait, no byte is lost. */
#include "bind/process.h"

#include "bind/error.h"
#include "bind/host.h"
#include "bind/stream.h"
#include "bind/task.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdint.h>

enum { MOST_READERS = 2 };

/* A reader, and whom it tells when we do not listen. */
typedef struct {
  lv_reader_box *box;
  lv_reader_fn fn;
  void *arg;
} source;

typedef struct {
  lv_list link; /* in proc->exchanges */
  lv_proc_box *proc;
  lv_task *task; /* NULL when it is over */
  source sources[MOST_READERS];
  int n;
  size_t most;   /* bytes that a reader may hold */
  double linger; /* seconds after the end */
  bool held;     /* … are over, and somebody still holds a pipe */
} exchange;

/* The reader that holds too much, counted from 1, or 0. */
static int overrun(const exchange *x) {
  for (int i = 0; i < x->n; i++)
    if (lv_buf_size(&x->sources[i].box->r->buf) > x->most) return i + 1;
  return 0;
}

/* Why a reader has ended before its end; 0: none has. */
static int failure(const exchange *x) {
  int error = 0;
  for (int i = 0; i < x->n && error == 0; i++)
    error = x->sources[i].box->r->error;
  return error;
}

static bool is_over(const exchange *x) {
  if (overrun(x) || failure(x) < 0) return true;
  if (!x->proc->p->ended) return false;
  for (int i = 0; i < x->n; i++)
    if (!lv_reader_is_done(x->sources[i].box->r)) return false;
  return true;
}

static void on_linger(lv_timer *timer) {
  lv_task *t = LV_OF(timer, lv_task, timer);
  exchange *x = t->op;
  if (t->state != LV_PARKED) return;
  x->held = true;
  lv_wake(t, 0);
}

/* 0 or -errno. */
static int start_linger(exchange *x) {
  lv_task *t = x->task;
  if (!x->proc->p->ended || lv_timer_is_running(&t->timer)) return 0;
  t->timer.fn = on_linger;
  return lv_timer_start(&t->host->rt.timers, &t->timer, x->linger);
}

static void look(exchange *x) {
  lv_task *t = x->task;
  if (t->state != LV_PARKED) return; /* it is woken already */
  if (is_over(x))
    lv_wake(t, 0);
  else if (start_linger(x) < 0)
    on_linger(&t->timer);
}

static void on_input(lv_reader *r, void *arg) {
  (void)r;
  look(arg);
}

void lv_exchanges_look(lv_list *exchanges) {
  for (lv_list *at = exchanges->next; at != exchanges; at = at->next)
    look(LV_OF(at, exchange, link));
}

/* Lets go of the process and the readers, which then read ahead no further
 * than they do for anybody. */
static void end(exchange *x) {
  if (x->task == NULL) return;
  lv_timer_stop(&x->task->host->rt.timers, &x->task->timer);
  x->task = NULL;
  lv_list_del(&x->link);
  for (int i = 0; i < x->n; i++) {
    const source *s = &x->sources[i];
    lv_reader *r = s->box->r;
    if (r == NULL) continue; /* closed after we were woken */
    s->box->task = NULL;
    r->fn = s->fn;
    r->arg = s->arg;
    r->bulk = false;
    lv_reader_need(r, 0);
  }
}

static lv_abort abort_exchange(lv_task *t, void *op) {
  (void)t;
  end(op);
  return LV_STOPPED;
}

/* Stack: …, exchange on top */
static int push_result(lua_State *L, exchange *x) {
  int over = overrun(x), error = failure(x);
  if (error < 0) return lv_raise_os(L, error, "read", NULL);
  lua_pushboolean(L, x->held);
  if (over)
    lua_pushinteger(L, over);
  else
    lua_pushnil(L);
  return 2;
}

static bool is_closed(const exchange *x) {
  for (int i = 0; i < x->n; i++)
    if (x->sources[i].box->r == NULL) return true;
  return false;
}

static int exchange_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  exchange *x = lua_touserdata(L, -1);
  (void)status, (void)ctx;
  end(x);
  bool is_cancelled = is_closed(x) && lv_task_is_cancelled(t);
  if (t->status == -ECANCELED || is_cancelled) return lv_raise_cancelled(L, t);
  if (t->status < 0 || is_closed(x))
    return lv_raise(L, "Closed", "a stream was closed meanwhile");
  return push_result(L, x);
}

/* Push it, filled from the arguments; nothing is started. */
static exchange *push_exchange(lua_State *L) {
  exchange *x = lua_newuserdatauv(L, sizeof *x, 0);
  *x = (exchange){.proc = lv_check_proc(L, 1)};
  for (int arg = 2; arg <= 3; arg++) {
    if (lua_isnil(L, arg)) continue;
    lv_reader_box *b = lv_check_reader(L, arg);
    if (b->task)
      lv_raise(L, "Busy", "another task is reading this stream already");
    x->sources[x->n++] = (source){b, b->r->fn, b->r->arg};
  }
  x->linger = lv_check_seconds(L, 4, "linger");
  x->most = lua_isnil(L, 5) ? SIZE_MAX - 1 : (size_t)luaL_checkinteger(L, 5);
  return x;
}

static int start(exchange *x, lv_task *t) {
  x->task = t;
  lv_list_push(&x->proc->exchanges, &x->link);
  int rc = 0;
  for (int i = 0; i < x->n; i++) {
    lv_reader *r = x->sources[i].box->r;
    x->sources[i].box->task = t;
    r->fn = on_input;
    r->arg = x;
    r->bulk = r->may_widen = true;
    if (rc == 0) rc = lv_reader_need(r, x->most + 1);
  }
  return rc < 0 ? rc : start_linger(x);
}

/* h:_exchange(reader, reader, linger, most) -> held, overrun
 * Wait until the process has ended and the readers (or nil) are at their ends.
 * held: somebody still had a pipe `linger` seconds after the end. overrun: at
 * once when the first or second reader holds more than `most` bytes (or nil),
 * its number. The readers keep what they have read, however the wait ends. */
int lv_l_exchange(lua_State *L) {
  lua_settop(L, 5);
  exchange *x = push_exchange(L);
  if (is_over(x)) return push_result(L, x);
  lv_task *t = lv_task_check(L);
  int rc = start(x, t);
  if (rc < 0) {
    end(x);
    return lv_raise_os(L, rc, "read", NULL);
  }
  return lv_park(L, t, "a child to end, and its output", x, abort_exchange,
                 exchange_done);
}
