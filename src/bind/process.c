/* bind/process.c — Starting a child, waiting for it, signalling it. What is
 * made of it for scripts is lua/luvisor/process.lua.
 * @module luvisor.core.process */
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "bind/spawnopts.h"
#include "bind/stdio.h"
#include "bind/stream.h"
#include "bind/task.h"
#include "core/foreground.h"
#include "core/proc.h"
#include "os/fd.h"
#include "os/pty.h"
#include "os/signame.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char METATABLE[] = "luvisor.core.process";

typedef struct {
  lv_host *host;
  lv_proc *p;
  lv_list waiting; /* tasks by link */
  lv_foreground foreground;
} box;

static box *check_box(lua_State *L) {
  return luaL_checkudata(L, 1, METATABLE);
}

/* ---- waiting ---- */

/* A child that died of the terminal's INT or QUIT: the user meant us, too. */
static void on_exit(lv_proc *p, void *arg) {
  box *b = arg;
  bool had_terminal = lv_foreground_end(&b->foreground);
  if (had_terminal && (p->exit.signal == SIGINT || p->exit.signal == SIGQUIT))
    kill(getpid(), p->exit.signal);
  lv_wake_all(&b->waiting, 0);
}

static int wait_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  (void)status, (void)ctx;
  return t->status == -ECANCELED ? lv_raise_cancelled(L, t) : 0;
}

/* h:wait(): until it has ended; any number of tasks may. */
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

/* h:status() -> table | nil while it runs */
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

/* h:is_running() -> boolean */
static int l_is_running(lua_State *L) {
  lua_pushboolean(L, !check_box(L)->p->ended);
  return 1;
}

/* ---- signalling ---- */

/* h:signal(sig, group) -> true | false: false if nobody was there to get it */
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

/* h:hold(): until release it is not reaped, so its group can be signalled. */
static int l_hold(lua_State *L) {
  lv_proc_hold(check_box(L)->p);
  return 0;
}

static int l_release(lua_State *L) {
  lv_proc_release(check_box(L)->p);
  return 0;
}

/* h:detach() */
static int l_detach(lua_State *L) {
  check_box(L)->p->detached = true;
  return 0;
}

/* h:pid() -> integer */
static int l_pid(lua_State *L) {
  lua_pushinteger(L, check_box(L)->p->pid);
  return 1;
}

static int l_gc(lua_State *L) {
  box *b = lua_touserdata(L, 1);
  if (b->p == NULL) return 0;
  lv_foreground_end(&b->foreground);
  lv_proc_disown(b->p);
  b->p = NULL;
  return 0;
}

static box *push_box(lua_State *L) {
  box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (box){.host = lv_host_of(L)};
  lv_list_init(&b->waiting);
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

static int raise_spawn_error(lua_State *L, int rc, const char *op,
                             const lv_spawn_request *req) {
  const char *program = req->opts.argv[0];
  const char *subject = program;
  if (strcmp(op, "chdir") == 0) subject = req->opts.cwd;
  if (strcmp(op, "chroot") == 0) subject = req->opts.chroot;
  if (rc == -ENOMEM && strcmp(op, "exec") != 0) luaL_error(L, "not enough memory");
  lv_push_error(L, "SpawnError", "spawn \"%s\": %s%s%s%s: %s (%s)", program, op,
                subject == program ? "" : " \"",
                subject == program || !subject ? "" : subject,
                subject == program ? "" : "\"", strerror(-rc),
                lv_errno_name(rc));
  lua_pushstring(L, lv_errno_name(rc));
  lua_setfield(L, -2, "code");
  lua_pushstring(L, op);
  lua_setfield(L, -2, "op");
  lua_pushstring(L, subject);
  lua_setfield(L, -2, "subject");
  return lua_error(L);
}

static void set_terminal(lv_spawn_request *req, const lv_stdio_plan *plan,
                         lv_host *host) {
  lv_spawn_opts *o = &req->opts;
  if (plan->pty_slave >= 0) {
    o->session = true;
    o->pgroup = -1;
    o->ctty = plan->pty_slave;
  } else if (plan->foreground >= 0 && o->pgroup == 0 && !o->session &&
             lv_foreground_is_free(&host->rt, plan->foreground)) {
    o->foreground = plan->foreground;
  }
}

/* spawn(options) -> handle, streams: the options as process.lua has checked
 * them. Blocks until the exec; never waits for anything else. */
static int l_spawn(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lv_host *host = lv_host_of(L);
  box *b = push_box(L);
  lv_spawn_request req;
  lv_stdio_plan *plan = lv_push_stdio_plan(L, 1);
  lv_read_spawn_opts(L, 1, &req);
  req.opts.fds = plan->maps;
  req.opts.nfds = plan->nmaps;
  set_terminal(&req, plan, host);
  fflush(stdout);
  lv_proc *p;
  const char *op;
  int rc = lv_proc_start(&p, &host->rt, &req.opts, &op);
  lv_fd_close(&req.cgroup);
  lv_stdio_plan_close_temporaries(plan);
  if (rc < 0) {
    lv_stdio_plan_close(plan);
    return raise_spawn_error(L, rc, op, &req);
  }
  set_proc(b, p);
  if (req.opts.foreground >= 0)
    lv_foreground_begin(&b->foreground, p, req.opts.foreground);
  lua_pushvalue(L, 2);
  lua_getfield(L, 1, "limit");
  size_t limit = lua_isnil(L, -1) ? LV_READER_LIMIT : (size_t)lua_tointeger(L, -1);
  lua_pop(L, 1);
  lv_push_streams(L, plan, &host->rt, limit);
  return 2;
}

/* adopt(pid) -> handle */
static int l_adopt(lua_State *L) {
  lua_Integer pid = lv_check_size(L, 1, "adopt: the pid");
  if (pid <= 0 || pid > INT_MAX) return lv_usage(L, "adopt: a pid is positive");
  box *b = push_box(L);
  lv_proc *p;
  int rc = lv_proc_adopt(&p, &b->host->rt, (pid_t)pid);
  if (rc < 0) {
    lua_pushfstring(L, "process %I", pid);
    return lv_raise_os(L, rc, "adopt", lua_tostring(L, -1));
  }
  set_proc(b, p);
  return 1;
}

/* children() -> list of pids of those not reaped and not detached */
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

/* resize(writer, rows, cols): of the terminal behind it */
static int l_resize(lua_State *L) {
  lv_writer_box *w = lv_check_writer(L, 1);
  int rc = lv_pty_resize(w->w->io.fd, (int)luaL_checkinteger(L, 2),
                         (int)luaL_checkinteger(L, 3));
  return rc < 0 ? lv_raise_os(L, rc, "resize", "the pseudo-terminal") : 0;
}

int lv_open_process(lua_State *L) {
  static const luaL_Reg functions[] = {{"_spawn", l_spawn},
                                       {"_adopt", l_adopt},
                                       {"_resize", l_resize},
                                       {"children", l_children},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {{"wait", l_wait},
                                     {"status", l_status},
                                     {"is_running", l_is_running},
                                     {"signal", l_signal},
                                     {"hold", l_hold},
                                     {"release", l_release},
                                     {"detach", l_detach},
                                     {"pid", l_pid},
                                     {NULL, NULL}};
  lv_make_stdio_class(L);
  luaL_newmetatable(L, METATABLE);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, l_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, functions);
  return 1;
}
