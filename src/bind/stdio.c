/* bind/stdio.c — From "pipe", "null", {file = …}, a number, a stream to the
 * descriptors of a child. See stdio.h. */
#include "bind/stdio.h"

#include "bind/error.h"
#include "bind/stream.h"
#include "os/fd.h"
#include "os/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char METATABLE[] = "luvisor.stdio_plan";

void lv_stdio_plan_close_temporaries(lv_stdio_plan *plan) {
  for (size_t i = 0; i < plan->n; i++) lv_fd_close(&plan->fds[i].temporary);
  lv_fd_close(&plan->pty_slave);
}

void lv_stdio_plan_close(lv_stdio_plan *plan) {
  lv_stdio_plan_close_temporaries(plan);
  for (size_t i = 0; i < plan->n; i++) lv_fd_close(&plan->fds[i].end);
  lv_fd_close(&plan->pty_master);
}

/* ---- one value ---- */

typedef struct {
  lua_State *L;
  lv_stdio_plan *plan;
  lv_fd_plan *fd;
  const char *name; /* of the option, for messages */
  int pipe_size;    /* 0: as the kernel makes it */
} job;

static void fail(job *j, int rc, const char *op, const char *subject) {
  lua_State *L = j->L;
  lv_stdio_plan_close(j->plan);
  lv_push_oserror(L, rc, op, subject);
  lua_pushliteral(L, "SpawnError");
  lua_setfield(L, -2, "kind");
  lua_error(L);
}

static void make_pipe(job *j, bool we_read) {
  int ends[2];
  int rc = lv_fd_pipe(ends);
  if (rc < 0) fail(j, rc, "pipe", j->name);
  j->fd->end = ends[we_read ? 0 : 1];
  j->fd->temporary = j->fd->source = ends[we_read ? 1 : 0];
  j->fd->reading = we_read;
  if (j->pipe_size == 0) return;
  rc = lv_fd_set_pipe_size(j->fd->end, (size_t)j->pipe_size);
  if (rc < 0) fail(j, rc, "pipe_size", j->name);
}

static void take_pipe(job *j) {
  make_pipe(j, j->fd->target != 0);
}

static void take_pipe_in(job *j) {
  make_pipe(j, false);
}

static void open_for_child(job *j, const char *path, int flags, mode_t mode) {
  int fd = lv_fd_open(path, flags, mode);
  if (fd < 0) fail(j, fd, "open", path);
  j->fd->temporary = j->fd->source = fd;
}

static void take_null(job *j) {
  open_for_child(j, "/dev/null", O_RDWR, 0);
}

static void take_close(job *j) {
  j->fd->source = -1;
}

/* What is closed in us is closed in the child. */
static void take_inherit(job *j) {
  int fd = j->fd->target;
  j->fd->source = lv_fd_is_open(fd) ? fd : -1;
  if (fd == 0 && isatty(0)) j->plan->foreground = 0;
}

static void take_stdout(job *j) {
  lua_State *L = j->L;
  if (j->fd->target != 2)
    lv_usage(L, "%s: \"stdout\" is for stderr only", j->name);
  for (size_t i = 0; i < j->plan->n; i++)
    if (j->plan->fds[i].target == 1) j->fd->source = j->plan->fds[i].source;
}

static const struct {
  const char *word;
  void (*take)(job *j);
} words[] = {
    {"pipe", take_pipe},   {"pipe-in", take_pipe_in}, {"null", take_null},
    {"close", take_close}, {"inherit", take_inherit}, {"stdout", take_stdout},
};

static void take_word(job *j, int idx) {
  const char *word = lua_tostring(j->L, idx);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strcmp(word, words[i].word) != 0) continue;
    words[i].take(j);
    return;
  }
  lv_stdio_plan_close(j->plan);
  lv_usage(j->L,
           "%s: \"%s\" is none of \"inherit\", \"pipe\", \"null\", "
           "\"close\"%s; a file is {file = \"%s\"}",
           j->name, word,
           j->fd->target == 2  ? ", \"stdout\""
           : j->fd->target > 2 ? ", \"pipe-in\""
                               : "",
           word);
}

/* mode: "r", "w", "a", "rw", or the permissions of a new file. */
static int file_flags(job *j, int idx, mode_t *permissions) {
  static const struct {
    const char *name;
    int flags;
  } modes[] = {{"r", O_RDONLY},
               {"w", O_WRONLY | O_CREAT | O_TRUNC},
               {"a", O_WRONLY | O_CREAT | O_APPEND},
               {"rw", O_RDWR | O_CREAT}};
  lua_State *L = j->L;
  *permissions = 0666;
  lua_getfield(L, idx, "append");
  int found = j->fd->target == 0 ? 0 : lua_toboolean(L, -1) ? 2 : 1;
  int type = lua_getfield(L, idx, "mode");
  if (type == LUA_TNUMBER) {
    *permissions = (mode_t)lua_tointeger(L, -1);
  } else if (type == LUA_TSTRING) {
    const char *text = lua_tostring(L, -1);
    char *rest;
    long octal = strtol(text, &rest, 8);
    for (found = 3; found >= 0; found--)
      if (strcmp(modes[found].name, text) == 0) break;
    if (found < 0 && *rest == '\0' && rest != text) {
      *permissions = (mode_t)octal;
      found = j->fd->target == 0 ? 0 : 1;
    } else if (found < 0) {
      lv_usage(L, "%s: mode is \"r\", \"w\", \"a\", \"rw\" or permissions as "
                  "\"0644\", got \"%s\"", j->name, text);
    }
  }
  lua_pop(L, 2);
  return modes[found].flags;
}

static void check_file_keys(job *j, int idx) {
  lua_State *L = j->L;
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    lua_pop(L, 1);
    const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    if (strcmp(key, "file") != 0 && strcmp(key, "append") != 0 &&
        strcmp(key, "mode") != 0)
      lv_usage(L, "%s: unknown key %s (a file is {file =, append =, mode =})",
               j->name, luaL_tolstring(L, -1, NULL));
  }
}

static void take_file(job *j, int idx) {
  lua_State *L = j->L;
  idx = lua_absindex(L, idx);
  check_file_keys(j, idx);
  if (lua_getfield(L, idx, "file") != LUA_TSTRING)
    lv_usage(L, "%s: a table here is {file = \"name\"}", j->name);
  mode_t permissions;
  int flags = file_flags(j, idx, &permissions);
  open_for_child(j, lua_tostring(L, -1), flags, permissions);
  lua_pop(L, 1);
}

static void take_fd(job *j, int fd) {
  if (!lv_fd_is_open(fd)) fail(j, -EBADF, "use a descriptor as", j->name);
  j->fd->source = fd;
  if (j->fd->target == 0 && isatty(fd)) j->plan->foreground = fd;
}

/* Our description is non-blocking, which the child must not see: it gets one
 * of its own. A socket cannot be reopened; then ours is given as it is. */
static void take_stream(job *j, int fd, int flags) {
  if (fd < 0) {
    lv_stdio_plan_close(j->plan);
    lv_raise(j->L, "Closed", "%s: the stream is closed", j->name);
  }
  int own = lv_fd_reopen(fd, flags);
  if (own < 0) {
    lv_fd_set_nonblocking(fd, false);
    j->fd->source = fd;
    return;
  }
  lv_fd_set_nonblocking(own, false);
  j->fd->temporary = j->fd->source = own;
}

static void take_reader(job *j, lv_reader_box *box) {
  if (box->r && (box->task || box->r->started)) {
    lv_stdio_plan_close(j->plan);
    lv_raise(j->L, "Busy",
             "%s: the reader has been read from, and may have read ahead",
             j->name);
  }
  take_stream(j, box->r ? box->r->io.fd : -1, O_RDONLY);
}

static void take_userdata(job *j, int idx) {
  lua_State *L = j->L;
  lv_reader_box *r = lv_to_reader(L, idx);
  lv_writer_box *w = lv_to_writer(L, idx);
  luaL_Stream *f = luaL_testudata(L, idx, LUA_FILEHANDLE);
  if (r) {
    take_reader(j, r);
  } else if (w) {
    take_stream(j, w->w ? w->w->io.fd : -1, O_WRONLY);
  } else if (f && f->closef) {
    fflush(f->f);
    take_fd(j, fileno(f->f));
  } else {
    lv_stdio_plan_close(j->plan);
    lv_usage(L, "%s: expected a stream, got %s", j->name,
             f ? "a closed file" : luaL_typename(L, idx));
  }
}

static lv_fd_plan *add(lua_State *L, lv_stdio_plan *plan, int target) {
  if (plan->n == LV_MOST_FDS) {
    lv_stdio_plan_close(plan);
    lv_usage(L, "fds: at most %d descriptors", LV_MOST_FDS);
  }
  lv_fd_plan *fd = &plan->fds[plan->n++];
  *fd = (lv_fd_plan){.target = target, .source = -1, .temporary = -1,
                     .end = -1};
  return fd;
}

/* The value on top of L, popped. */
static void take_value(job *j) {
  lua_State *L = j->L;
  switch (lua_type(L, -1)) {
  case LUA_TSTRING: take_word(j, -1); break;
  case LUA_TNUMBER:
    take_fd(j, lua_isinteger(L, -1) ? (int)lua_tointeger(L, -1) : -1);
    break;
  case LUA_TTABLE: take_file(j, -1); break;
  case LUA_TUSERDATA: take_userdata(j, -1); break;
  default:
    lv_stdio_plan_close(j->plan);
    lv_usage(L, "%s: expected \"pipe\", \"null\", a file, a descriptor or a "
                "stream, got %s", j->name, luaL_typename(L, -1));
  }
  lua_pop(L, 1);
}

/* ---- all of them ---- */

static void open_pty(lua_State *L, lv_stdio_plan *plan, int arg) {
  int type = lua_getfield(L, arg, "pty");
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  lv_pty_opts opts = {.echo = true};
  if (type == LUA_TTABLE) {
    lua_getfield(L, -1, "rows");
    lua_getfield(L, -2, "cols");
    opts.rows = (int)lua_tointeger(L, -2);
    opts.cols = (int)lua_tointeger(L, -1);
    if (lua_getfield(L, -3, "echo") == LUA_TBOOLEAN)
      opts.echo = lua_toboolean(L, -1);
    lua_pop(L, 3);
  }
  lua_pop(L, 1);
  int rc = lv_pty_open(&opts, &plan->pty_master, &plan->pty_slave);
  if (rc < 0) lv_raise_os(L, rc, "open a pseudo-terminal", NULL);
}

static void take_standard(lua_State *L, job *j, int arg) {
  static const char *const names[] = {"stdin", "stdout", "stderr"};
  for (int target = 0; target <= 2; target++) {
    j->name = names[target];
    bool given = lua_getfield(L, arg, names[target]) != LUA_TNIL;
    j->fd = add(L, j->plan, target);
    if (given) {
      take_value(j);
      continue;
    }
    lua_pop(L, 1);
    if (j->plan->pty_slave >= 0)
      j->fd->source = j->plan->pty_slave;
    else if (target == 0)
      take_null(j);
    else
      take_inherit(j);
  }
}

static void take_others(lua_State *L, job *j, int arg) {
  if (lua_getfield(L, arg, "fds") == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 3 ||
        lua_tointeger(L, -2) > 65535) {
      lv_stdio_plan_close(j->plan);
      lv_usage(L, "fds: a key is a descriptor number of 3 or more, got %s",
               luaL_tolstring(L, -2, NULL));
    }
    int target = (int)lua_tointeger(L, -2);
    char name[32];
    snprintf(name, sizeof name, "fds[%d]", target);
    j->name = name;
    j->fd = add(L, j->plan, target);
    take_value(j);
  }
  lua_pop(L, 1);
}

lv_stdio_plan *lv_push_stdio_plan(lua_State *L, int arg) {
  luaL_checkstack(L, 12, NULL);
  lv_stdio_plan *plan = lua_newuserdatauv(L, sizeof *plan, 0);
  plan->n = plan->nmaps = 0;
  plan->pty_master = plan->pty_slave = plan->foreground = -1;
  luaL_setmetatable(L, METATABLE);
  open_pty(L, plan, arg);
  job j = {.L = L, .plan = plan};
  lua_getfield(L, arg, "pipe_size");
  j.pipe_size = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  take_standard(L, &j, arg);
  take_others(L, &j, arg);
  for (size_t i = 0; i < plan->n; i++)
    if (plan->fds[i].source >= 0)
      plan->maps[plan->nmaps++] =
          (lv_fd_map){plan->fds[i].target, plan->fds[i].source};
  return plan;
}

/* ---- our ends, as streams ---- */

static void open_reader(lua_State *L, lv_rt *rt, int *fd, size_t limit) {
  lv_reader_box *box = lv_push_reader_box(L);
  lv_io io;
  int rc = lv_io_own(*fd, &io);
  if (rc == 0) rc = lv_reader_box_open(box, rt, io, limit);
  if (rc < 0) lv_raise_os(L, rc, "open a stream", NULL);
  *fd = -1;
}

static void open_writer(lua_State *L, lv_rt *rt, int *fd) {
  lv_writer_box *box = lv_push_writer_box(L);
  lv_io io;
  int rc = lv_io_own(*fd, &io);
  if (rc == 0) rc = lv_writer_box_open(box, rt, io);
  if (rc < 0) lv_raise_os(L, rc, "open a stream", NULL);
  *fd = -1;
}

void lv_push_streams(lua_State *L, lv_stdio_plan *plan, lv_rt *rt,
                     size_t limit) {
  lua_createtable(L, 2, 2);
  for (size_t i = 0; i < plan->n; i++) {
    lv_fd_plan *fd = &plan->fds[i];
    if (fd->end < 0) continue;
    if (fd->reading)
      open_reader(L, rt, &fd->end, limit);
    else
      open_writer(L, rt, &fd->end);
    lua_rawseti(L, -2, fd->target);
  }
  if (plan->pty_master < 0) return;
  int copy = lv_fd_dup(plan->pty_master);
  if (copy < 0) lv_raise_os(L, copy, "dup", "the pseudo-terminal");
  open_reader(L, rt, &plan->pty_master, limit);
  lua_setfield(L, -2, "tty_reader");
  open_writer(L, rt, &copy);
  lua_setfield(L, -2, "tty_writer");
}

static int l_gc(lua_State *L) {
  lv_stdio_plan_close(lua_touserdata(L, 1));
  return 0;
}

void lv_make_stdio_class(lua_State *L) {
  luaL_newmetatable(L, METATABLE);
  lua_pushcfunction(L, l_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}
