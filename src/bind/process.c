/* bind/process.c — Starting a child, waiting for it, signalling it. What is
 * made of it for scripts is lua/luvisor/process.lua.
 * @module luvisor.core.process */
#include "bind/process.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "bind/spawnopts.h"
#include "bind/stdio.h"
#include "bind/stream.h"
#include "bind/task.h"
#include "os/fd.h"
#include "os/group.h"
#include "os/pty.h"
#include "os/signame.h"

#include <assert.h>
#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char METATABLE[] = "luvisor.core.process";

typedef lv_proc_box box;

lv_proc_box *lv_check_proc(lua_State *L, int arg) {
  box *b = luaL_checkudata(L, arg, METATABLE);
  if (b->p == NULL) lv_raise(L, "Closed", "the process' handle is closed");
  return b;
}

static box *check_box(lua_State *L) {
  return lv_check_proc(L, 1);
}

/* ---- waiting ---- */

/* A child that died of the terminal's INT or QUIT: the user meant us, too. */
static void on_exit(lv_proc *p, void *arg) {
  box *b = arg;
  bool had_terminal = lv_foreground_end(&b->foreground);
  if (had_terminal && (p->exit.signal == SIGINT || p->exit.signal == SIGQUIT))
    kill(getpid(), p->exit.signal);
  lv_wake_all(&b->waiting, 0);
  lv_exchanges_look(&b->exchanges);
}

static int wait_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  check_box(L); /* closed meanwhile? */
  return 0;
}

/*** h:wait()
 * Until it has ended; any number of tasks may. */
static int l_wait(lua_State *L) {
  box *b = check_box(L);
  if (b->p->ended) return 0;
  lv_task *t = lv_task_check(L);
  lv_list_push(&b->waiting, &t->link);
  return lv_park(L, t, "a child to end", NULL, lv_abort_unlink, wait_done);
}

static void set_seconds(lua_State *L, const char *name, struct timeval tv) {
  lua_pushnumber(L, (lua_Number)tv.tv_sec + (lua_Number)tv.tv_usec / 1e6);
  lua_setfield(L, -2, name);
}

static void set_integer(lua_State *L, const char *name, long value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static void push_rusage(lua_State *L, const struct rusage *u) {
  lua_createtable(L, 0, 10);
  set_seconds(L, "utime", u->ru_utime);
  set_seconds(L, "stime", u->ru_stime);
  set_integer(L, "maxrss", u->ru_maxrss * 1024); /* from kB: getrusage(2) */
  set_integer(L, "minflt", u->ru_minflt);
  set_integer(L, "majflt", u->ru_majflt);
  set_integer(L, "inblock", u->ru_inblock);
  set_integer(L, "oublock", u->ru_oublock);
  set_integer(L, "nvcsw", u->ru_nvcsw);
  set_integer(L, "nivcsw", u->ru_nivcsw);
}

/*** h:status() -> table | nil
 * nil while it runs. */
static int l_status(lua_State *L) {
  const lv_proc *p = check_box(L)->p;
  if (!p->ended) return 0;
  const lv_exit *e = &p->exit;
  lua_createtable(L, 0, 8);
  lua_pushnumber(L, (lua_Number)(p->finished - p->started) / 1e9);
  lua_setfield(L, -2, "duration");
  lua_pushboolean(L, !p->lost && e->signal == 0 && e->code == 0);
  lua_setfield(L, -2, "ok");
  lua_pushboolean(L, e->core);
  lua_setfield(L, -2, "core");
  if (p->lost) return 1;
  if (e->signal != 0) {
    lua_pushstring(L, lv_signame_format(e->signal));
    lua_setfield(L, -2, "signal");
  } else {
    set_integer(L, "code", e->code);
  }
  set_integer(L, "returncode", e->signal ? -e->signal : e->code);
  push_rusage(L, &e->usage);
  lua_setfield(L, -2, "rusage");
  return 1;
}

/*** h:is_running() -> boolean
 * As far as the loop has seen. */
static int l_is_running(lua_State *L) {
  const box *b = luaL_checkudata(L, 1, METATABLE);
  lua_pushboolean(L, b->p && !b->p->ended);
  return 1;
}

/* ---- signalling ---- */

/*** h:signal(sig, group) -> boolean
 * false if nobody was there to get it. */
static int l_signal(lua_State *L) {
  box *b = check_box(L);
  int signum = lv_check_signal(L, 2);
  int rc = lua_toboolean(L, 3) ? lv_proc_signal_group(b->p, signum)
                               : lv_proc_signal(b->p, signum);
  if (rc < 0 && rc != -ESRCH) {
    lua_pushfstring(L, "process %d", (int)b->p->pid);
    return lv_raise_os(L, rc, "signal", lua_tostring(L, -1));
  }
  lua_pushboolean(L, rc == 0);
  return 1;
}

/*** h:hold() -> h
 * Until release it is not reaped, so its group can be signalled. For a <close>
 * variable, which releases it. */
static int l_hold(lua_State *L) {
  lv_proc_hold(check_box(L)->p);
  lua_settop(L, 1);
  return 1;
}

/*** h:release() */
static int l_release(lua_State *L) {
  lv_proc_release(check_box(L)->p);
  return 0;
}

/*** h:has_group() -> boolean
 * Whether others of the group that it leads may be alive, it having ended. */
static int l_has_group(lua_State *L) {
  const lv_proc *p = check_box(L)->p;
  lua_pushboolean(L, p->leader && !p->reaped &&
                         lv_group_may_be_alive(p->pid, p->finished));
  return 1;
}

/*** h:detach()
 * It may outlive us. */
static int l_detach(lua_State *L) {
  check_box(L)->p->detached = true;
  return 0;
}

/*** h:pid() -> integer */
static int l_pid(lua_State *L) {
  lua_pushinteger(L, check_box(L)->p->pid);
  return 1;
}

/* A child that runs and that nobody can reach any more has been lost between
 * its start and its being made known: it goes, too. */
static void close_box(box *b) {
  lv_proc *p = b->p;
  if (p == NULL) return;
  b->p = NULL;
  if (!p->ended && !p->detached) lv_proc_signal_group(p, SIGKILL);
  lv_foreground_end(&b->foreground);
  lv_proc_disown(p);
}

/*** h:close()
 * Let go of an adopted process. Twice is harmless. */
static int l_close(lua_State *L) {
  box *b = luaL_checkudata(L, 1, METATABLE);
  close_box(b);
  lv_wake_all(&b->waiting, 0);
  return 0;
}

static int l_gc(lua_State *L) {
  close_box(lua_touserdata(L, 1));
  return 0;
}

static box *push_box(lua_State *L) {
  lv_host_check_open(L);
  box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (box){.p = NULL};
  lv_list_init(&b->waiting);
  lv_list_init(&b->exchanges);
  lv_foreground_init(&b->foreground);
  luaL_setmetatable(L, METATABLE);
  return b;
}

static void set_proc(box *b, lv_proc *p) {
  b->p = p;
  p->fn = on_exit;
  p->arg = b;
}

/* ---- starting ---- */

/* Where l_spawn has them on the stack. */
enum { OPTIONS = 1, HANDLE, REQUEST, PLAN, STREAMS };

static void set_terminal(lv_spawn_request *req, const lv_stdio_plan *plan,
                         lv_rt *rt) {
  lv_spawn_opts *o = &req->opts;
  if (plan->pty_slave >= 0) {
    o->session = true;
    o->pgroup = -1;
    o->ctty = plan->pty_slave;
  } else if (plan->foreground >= 0 && o->pgroup == 0 && !o->session &&
             lv_foreground_is_free(rt, plan->foreground)) {
    o->foreground = lv_fd_dup(plan->foreground);
  }
}

/* Stack: …, streams, on top: a child that was not started needs none. */
static void close_streams(lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (luaL_callmeta(L, -1, "__close")) lua_pop(L, 1);
    lua_pop(L, 1);
  }
}

/* A failed spawn may have moved the terminal's foreground before it failed. */
static void undo_start(lua_State *L, lv_stdio_plan *plan,
                       lv_spawn_request *req) {
  if (req->opts.foreground >= 0)
    lv_group_set_foreground(req->opts.foreground, getpgrp());
  lv_fd_close(&req->opts.foreground);
  lv_stdio_plan_close(plan);
  lua_pushvalue(L, STREAMS);
  close_streams(L);
}

/* _spawn(options) -> handle, streams
 * The options are as lua/luvisor/process has checked them. Blocks until the
 * exec; never waits for anything else. What may raise comes before the child.
 */
static int l_spawn(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lv_rt *rt = &lv_host_of(L)->rt;
  box *b = push_box(L);
  lv_spawn_request req;
  lv_read_spawn_opts(L, OPTIONS, &req);
  lv_stdio_plan *plan = lv_push_stdio_plan(L, OPTIONS);
  lv_push_streams(L, plan, rt);
  assert(lua_gettop(L) == STREAMS);
  req.opts.cgroup = plan->cgroup;
  req.opts.fds = plan->maps;
  req.opts.nfds = plan->nmaps;
  set_terminal(&req, plan, rt);
  fflush(stdout);
  lv_proc *p;
  const char *op;
  int rc = lv_proc_start(&p, rt, &req.opts, &op);
  lv_stdio_plan_close_temporaries(plan);
  if (rc < 0) {
    undo_start(L, plan, &req);
    return lv_raise_spawn(L, OPTIONS, rc, op, NULL);
  }
  set_proc(b, p);
  if (req.opts.foreground >= 0)
    lv_foreground_begin(&b->foreground, p, req.opts.foreground);
  lua_pushvalue(L, HANDLE);
  lua_pushvalue(L, STREAMS);
  return 2;
}

/* _adopt(pid) -> handle */
static int l_adopt(lua_State *L) {
  lua_Integer pid = lv_check_size(L, 1, "adopt: the pid");
  if (pid <= 0 || pid > INT_MAX) return lv_usage(L, "adopt: a pid is positive");
  box *b = push_box(L);
  lv_proc *p;
  int rc = lv_proc_adopt(&p, &lv_host_of(L)->rt, (pid_t)pid);
  if (rc < 0) {
    lua_pushfstring(L, "process %I", pid);
    return lv_raise_os(L, rc, "adopt", lua_tostring(L, -1));
  }
  set_proc(b, p);
  return 1;
}

/*** children() -> list of pids
 * Of those not reaped and not detached. */
static int l_children(lua_State *L) {
  lv_rt *rt = &lv_host_of(L)->rt;
  lua_newtable(L);
  lua_Integer n = 0;
  for (lv_list *at = rt->procs.next; at != &rt->procs; at = at->next) {
    const lv_proc *p = LV_OF(at, lv_proc, link);
    if (p->detached || p->reaped) continue;
    lua_pushinteger(L, p->pid);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/* _resize(writer, rows, cols): of the terminal behind it */
static int l_resize(lua_State *L) {
  lv_writer_box *w = lv_check_writer(L, 1);
  int rc = lv_pty_resize(w->w->io.fd, (int)luaL_checkinteger(L, 2),
                         (int)luaL_checkinteger(L, 3));
  return rc < 0 ? lv_raise_os(L, rc, "resize", "the pseudo-terminal") : 0;
}

/* _stuck_at(reader) -> bytes, was_read | nil
 * How many bytes wait in a pipe that is full, and in our buffer, if nobody
 * reads them now; whether anybody ever has. */
static int l_stuck_at(lua_State *L) {
  const lv_reader_box *b = lv_to_reader(L, 1);
  if (b == NULL || b->r == NULL || b->r->io.fd < 0 || b->task) return 0;
  if (!lv_fd_pipe_is_full(b->r->io.fd)) return 0;
  lua_pushinteger(L, lv_fd_unread(b->r->io.fd) +
                         (lua_Integer)lv_buf_size(&b->r->buf));
  lua_pushboolean(L, b->r->started);
  return 2;
}

int lv_open_process(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"_spawn", l_spawn},      {"_adopt", l_adopt},
      {"_resize", l_resize},    {"_stuck_at", l_stuck_at},
      {"children", l_children}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"wait", l_wait},
                                     {"status", l_status},
                                     {"is_running", l_is_running},
                                     {"signal", l_signal},
                                     {"hold", l_hold},
                                     {"release", l_release},
                                     {"has_group", l_has_group},
                                     {"detach", l_detach},
                                     {"pid", l_pid},
                                     {"close", l_close},
                                     {"_exchange", lv_l_exchange},
                                     {NULL, NULL}};
  lv_make_stdio_class(L);
  static const luaL_Reg meta[] = {
      {"__gc", l_gc}, {"__close", l_release}, {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
  luaL_newlib(L, functions);
  return 1;
}
