/* bind/writer.c — Writer: bytes into a stream, with bounded impatience.
 *
 * A write that the kernel takes at once does not yield. More is queued, and the
 * task sleeps while over 64 KiB wait; cancelling it then loses nothing, the
 * bytes stay queued. A long string is not copied: it is lent to the queue and
 * kept alive as the box's user value.
 * @module luvisor.stream
 * @type Writer */
#include "bind/writer.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

static const char METATABLE[] = "luvisor.Writer";

typedef lv_writer_box box;

enum { LENT = 1, WORTH_ONE = 1024 };

lv_writer_box *lv_to_writer(lua_State *L, int arg) {
  return luaL_testudata(L, arg, METATABLE);
}

static int raise_closed(lua_State *L) {
  return lv_raise(L, "Closed", "the writer is closed");
}

lv_writer_box *lv_check_writer(lua_State *L, int arg) {
  box *b = luaL_testudata(L, arg, METATABLE);
  if (b == NULL)
    lv_usage(L, "expected a Writer, got %s (methods are called with a colon)",
             luaL_typename(L, arg));
  return b;
}

/* ---- waiting ---- */

/* Has what this task waits for come? */
static bool is_served(const box *b, const lv_task *t) {
  uintptr_t most = (uintptr_t)t->op;
  if (b->w->error < 0) return true;
  if (most == LV_UNTIL_CLOSED) return b->w->io.fd < 0;
  return lv_writer_pending(b->w) <= most;
}

static void on_progress(void *arg) {
  box *b = arg;
  if (b->paused && lv_writer_pending(b->w) <= b->low) b->paused = false;
  lv_list *head = &b->waiting;
  for (lv_list *at = head->next, *next; at != head; at = next) {
    next = at->next;
    lv_task *t = LV_OF(at, lv_task, link);
    if (!is_served(b, t)) continue;
    lv_list_del(at);
    lv_wake(t, 0);
  }
}

/* What is lent may be collected with the string: copy it. If memory is short
 * for that, the string stays where it is. */
static void forget_lent(lua_State *L, box *b) {
  if (lv_writer_settle(b->w) < 0) return;
  lua_pushnil(L);
  lua_setiuservalue(L, 1, LENT);
}

static int raise_failed(lua_State *L, box *b, int code) {
  b->told = true;
  if (code == -EPIPE || code == -ECONNRESET) {
    lv_push_error(L, "BrokenPipe", "write: nobody reads the stream any more");
    lua_pushstring(L, lv_errno_name(code));
    lua_setfield(L, -2, "code");
    return lua_error(L);
  }
  if (code == -EBADF) return raise_closed(L);
  return lv_raise_os(L, code, "write", NULL);
}

lv_writer_box *lv_writer_box_woken(lua_State *L) {
  const lv_task *t = lv_task_of(L);
  box *b = lua_touserdata(L, 1);
  if (lua_getiuservalue(L, 1, LENT) != LUA_TNIL) forget_lent(L, b);
  if (t->status == -ECANCELED) lv_raise_cancelled(L, lv_task_of(L));
  return b;
}

static int wait_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  box *b = lv_writer_box_woken(L);
  if (b->w->error < 0) return raise_failed(L, b, b->w->error);
  return 0;
}

int lv_writer_box_park(lua_State *L, box *b, size_t most, lua_KFunction k) {
  lv_task *t = lv_task_check(L);
  lv_list_push(&b->waiting, &t->link);
  return lv_park(L, t, "room in a stream", (void *)(uintptr_t)most,
                 lv_abort_unlink, k);
}

/* Wait until no more than `most` bytes are pending. */
static int wait_for(lua_State *L, box *b, size_t most) {
  return lv_writer_box_park(L, b, most, wait_done);
}

/* ---- writing ---- */

/* Queue a long string without a copy: it is kept alive as a user value. */
int lv_writer_box_lend(lua_State *L, box *b, int arg) {
  size_t n;
  const char *s = lua_tolstring(L, arg, &n);
  int rc = lv_writer_settle(b->w); /* the one lent before */
  if (rc < 0) return rc;
  lua_pushvalue(L, arg);
  lua_setiuservalue(L, 1, LENT);
  rc = lv_writer_lend(b->w, s, n);
  if (b->w->nlent == 0) forget_lent(L, b);
  return rc;
}

static void check_text(lua_State *L, int arg, const char *where) {
  if (!lua_isstring(L, arg))
    lv_usage(L, "%s: expected a string or number, got %s", where,
             luaL_typename(L, arg));
}

/* Short strings are gathered, so that what one call writes is one write(2). */
typedef struct {
  size_t n;
  char bytes[8192];
} gathered;

static void put_gathered(lua_State *L, box *b, gathered *g) {
  int rc = g->n > 0 ? lv_writer_put(b->w, g->bytes, g->n) : 0;
  g->n = 0;
  if (rc < 0) raise_failed(L, b, rc);
}

/* Queue argument `arg`; raises what writing fails with. */
static void put(lua_State *L, box *b, int arg, gathered *g) {
  size_t n;
  const char *s = lua_tolstring(L, arg, &n);
  b->work += 1 + n / WORTH_ONE;
  if (n > sizeof g->bytes - g->n) put_gathered(L, b, g);
  if (n <= sizeof g->bytes) {
    memcpy(g->bytes + g->n, s, n);
    g->n += n;
    return;
  }
  int rc = n < LV_LEND_FROM ? lv_writer_put(b->w, s, n)
                            : lv_writer_box_lend(L, b, arg);
  if (rc < 0) raise_failed(L, b, rc);
}

static int pause_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  return lv_task_is_cancelled(t) ? lv_raise_cancelled(L, t) : 0;
}

/* If the other side reads as fast as we write, no write ever has to wait. */
static bool should_pause(lua_State *L, box *b) {
  if (b->work < LV_LOOK_EACH) return false;
  b->work = 0;
  return lv_task_is_greedy(L);
}

static int after_put(lua_State *L, box *b) {
  if (lv_writer_pending(b->w) > LV_HIGH_WATER)
    return wait_for(L, b, LV_HIGH_WATER);
  if (b->w->nlent > 0) forget_lent(L, b);
  return should_pause(L, b) ? lv_pause(L, lv_task_of(L), pause_done) : 0;
}

static box *check_open(lua_State *L) {
  box *b = lv_check_writer(L, 1);
  if (b->w->error < 0) raise_failed(L, b, b->w->error);
  if (b->w->closing) raise_closed(L);
  if (b->file) fflush(b->file);
  return b;
}

/*** w:write(s, ...)
 * Write strings or numbers; waits while more than 64 KiB are not yet taken by
 * the kernel, and after a millisecond of writes that did not have to wait lets
 * others have their turn. What a cancelled write has not handed over yet stays queued.
 * (asyncio rule S22: write and drain in one)
 * @raise BrokenPipe: nobody reads any more; Closed, OSError, of this write or
 * one before */
static int l_write(lua_State *L) {
  box *b = check_open(L);
  int n = lua_gettop(L);
  for (int i = 2; i <= n; i++)
    check_text(L, i, "write");
  gathered g;
  g.n = 0;
  for (int i = 2; i <= n; i++)
    put(L, b, i, &g);
  put_gathered(L, b, &g);
  return after_put(L, b);
}

/*** w:writelines(list)
 * Write each string of the list, in order, adding nothing.
 * @raise as write */
static int l_writelines(lua_State *L) {
  box *b = check_open(L);
  if (!lua_istable(L, 2))
    return lv_usage(L, "writelines: expected a list of strings, got %s",
                    luaL_typename(L, 2));
  lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
  lua_settop(L, 2);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, i);
    check_text(L, 3, "writelines");
    lua_settop(L, 2);
  }
  gathered g;
  g.n = 0;
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, i);
    put(L, b, 3, &g);
    lua_settop(L, 2);
  }
  put_gathered(L, b, &g);
  return after_put(L, b);
}

/*** w:drain()
 * Wait until the kernel has taken all that was written. Any number of tasks
 * may, before close and after it.
 * @raise BrokenPipe, OSError: it never will; Closed: it was aborted */
static int l_drain(lua_State *L) {
  box *b = lv_check_writer(L, 1);
  if (b->w->error < 0) return raise_failed(L, b, b->w->error);
  if (lv_writer_pending(b->w) == 0) return 0;
  return wait_for(L, b, 0);
}

/* w:_flush(): drain at the program's end, when a failure that the script has
 * heard of is none. */
static int l_flush(lua_State *L) {
  const box *b = lv_check_writer(L, 1);
  return b->told && b->w->error < 0 ? 0 : l_drain(L);
}

/* ---- closing ---- */

/*** w:close()
 * End of file for the reader, after all that was written; returns at once.
 * Twice is harmless. The program's end waits for what is not yet taken; whether
 * it was taken, w:drain() tells. */
static int l_close(lua_State *L) {
  box *b = lv_check_writer(L, 1);
  if (b->file && !b->w->closing) fflush(b->file);
  if (b->w->nlent > 0) forget_lent(L, b);
  lv_writer_close(b->w);
  return 0;
}

/*** w:abort()
 * Close at once and drop what was not yet taken. */
static int l_abort(lua_State *L) {
  lv_writer_abort(lv_check_writer(L, 1)->w);
  return 0;
}

/*** w:is_closing() -> boolean
 * Closed, closing, or broken. */
static int l_is_closing(lua_State *L) {
  const box *b = lv_check_writer(L, 1);
  lua_pushboolean(L, b->w->closing || b->w->io.fd < 0);
  return 1;
}

/*** w:pending() -> integer
 * Bytes that the kernel has not taken yet. */
static int l_pending(lua_State *L) {
  const box *b = lv_check_writer(L, 1);
  lua_pushinteger(L, (lua_Integer)lv_writer_pending(b->w));
  return 1;
}

/*** w:fileno() -> integer | nil
 * The descriptor; nil once closed. */
static int l_fileno(lua_State *L) {
  const box *b = lv_check_writer(L, 1);
  if (b->w->io.fd < 0) return 0;
  lua_pushinteger(L, b->w->io.fd);
  return 1;
}

/* And not that the other side, or the script, wanted no more. */
static bool is_failure(int code) {
  return code < 0 && code != -EPIPE && code != -ECONNRESET && code != -EBADF;
}

/* w:_feed(s): queue s whole, never waiting, and close; a broken pipe is no
 * error. For communicate. */
static int l_feed(lua_State *L) {
  box *b = lv_check_writer(L, 1);
  luaL_checkstring(L, 2);
  b->w->may_widen = true;
  int rc = lv_writer_box_lend(L, b, 2);
  lv_writer_close(b->w);
  return is_failure(rc) ? raise_failed(L, b, rc) : 0;
}

/* w:_check_fed(): raise what it has failed with. */
static int l_check_fed(lua_State *L) {
  box *b = lv_check_writer(L, 1);
  return is_failure(b->w->error) ? raise_failed(L, b, b->w->error) : 0;
}

static int l_tostring(lua_State *L) {
  const box *b = lv_check_writer(L, 1);
  if (b->w->io.fd < 0)
    lua_pushliteral(L, "writer (closed)");
  else
    lua_pushfstring(L, "writer (fd %d, %I bytes pending)", b->w->io.fd,
                    (lua_Integer)lv_writer_pending(b->w));
  return 1;
}

/* What other finalizers still do to it finds no Writer any more. */
static int l_gc(lua_State *L) {
  box *b = lua_touserdata(L, 1);
  if (b->w == NULL) return 0;
  lv_writer_unlisten(b->w, &b->listener);
  lv_writer_release(b->w);
  b->w = NULL;
  lua_pushnil(L);
  lua_setmetatable(L, 1);
  return 0;
}

/* ---- making one ---- */

lv_writer_box *lv_push_writer_box(lua_State *L) {
  lv_host_check_open(L);
  box *b = lua_newuserdatauv(L, sizeof *b, 1);
  *b = (box){.high = LV_HIGH_WATER, .low = LV_HIGH_WATER / 4};
  lv_list_init(&b->waiting);
  luaL_setmetatable(L, METATABLE);
  return b;
}

int lv_writer_box_open(lv_writer_box *b, lv_rt *rt, lv_io io) {
  int rc = lv_writer_open(&b->w, rt, io);
  if (rc < 0) return rc;
  b->listener = (lv_listener){.fn = on_progress, .arg = b};
  lv_writer_listen(b->w, &b->listener);
  return 0;
}

void lv_make_writer_class(lua_State *L) {
  static const luaL_Reg methods[] = {{"write", l_write},
                                     {"writelines", l_writelines},
                                     {"drain", l_drain},
                                     {"close", l_close},
                                     {"abort", l_abort},
                                     {"is_closing", l_is_closing},
                                     {"pending", l_pending},
                                     {"fileno", l_fileno},
                                     {"_feed", l_feed},
                                     {"_check_fed", l_check_fed},
                                     {"_flush", l_flush},
                                     {"_put", lv_l_put},
                                     {"_gather", lv_l_gather},
                                     {"_room", lv_l_room},
                                     {"_until_closed", lv_l_until_closed},
                                     {"_is_lost", lv_l_is_lost},
                                     {"_marks", lv_l_marks},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__tostring", l_tostring},
                                  {"__close", l_close},
                                  {"__gc", l_gc},
                                  {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
}
