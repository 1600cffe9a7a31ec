/* bind/stdio.c — From "pipe", "null", {file = …}, a number, a stream to the
 * descriptors of a child. The words and tables have been checked by
 * lua/luvisor/process/options.lua. See stdio.h.
 *
 * Whatever raises here closes the plan first: a script that catches the error
 * and tries again shall not run out of descriptors before the collector comes.
 */
#include "bind/stdio.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/spawnopts.h"
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
  for (size_t i = 0; i < plan->n; i++)
    lv_fd_close(&plan->fds[i].temporary);
  lv_fd_close(&plan->pty_slave);
  lv_fd_close(&plan->cgroup);
}

void lv_stdio_plan_close(lv_stdio_plan *plan) {
  lv_stdio_plan_close_temporaries(plan);
  for (size_t i = 0; i < plan->n; i++)
    lv_fd_close(&plan->fds[i].end);
  lv_fd_close(&plan->pty_master);
  lv_fd_close(&plan->pty_writer);
}

/* ---- one value ---- */

typedef struct {
  lua_State *L;
  int arg; /* the options */
  lv_stdio_plan *plan;
  lv_fd_plan *fd;
  char name[32]; /* of the option, for messages */
  int pipe_size; /* 0: as the kernel makes it */
} job;

_Noreturn static void fail(job *j, int rc, const char *op,
                           const char *subject) {
  lv_stdio_plan_close(j->plan);
  lv_raise_spawn(j->L, j->arg, rc, op, subject);
  abort(); /* it has raised */
}

_Noreturn static void refuse(job *j, const char *kind, const char *why) {
  lv_stdio_plan_close(j->plan);
  lv_raise(j->L, kind, "%s: %s", j->name, why);
  abort();
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

/* Whoever opens it waits for nobody. */
static void take_null(job *j) {
  int fd = lv_fd_open_at(AT_FDCWD, "/dev/null", O_RDWR | O_NOCTTY, 0);
  if (fd < 0) fail(j, fd, "open", "/dev/null");
  j->fd->temporary = j->fd->source = fd;
}

static void take_close(job *j) {
  j->fd->source = -1;
}

/* What is closed in us is closed in the child. */
static void take_inherit(job *j) {
  int fd = j->fd->target;
  j->fd->source = lv_fd_is_inherited(fd) ? fd : -1;
  if (fd == 0 && isatty(0)) j->plan->foreground = 0;
}

static void take_stdout(job *j) {
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

static void take_word(job *j) {
  const char *word = lua_tostring(j->L, -1);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcmp(word, words[i].word) == 0) words[i].take(j);
}

/* ---- files ---- */

typedef struct {
  int flags;
  mode_t permissions; /* of a new file */
} file_mode;

static const struct {
  const char *name;
  int flags;
} modes[] = {{"r", O_RDONLY},
             {"w", O_WRONLY | O_CREAT | O_TRUNC},
             {"a", O_WRONLY | O_CREAT | O_APPEND},
             {"rw", O_RDWR | O_CREAT}};

static int flags_of(const char *name) {
  size_t i = 0;
  while (strcmp(modes[i].name, name) != 0)
    i++;
  return modes[i].flags;
}

/* Stack: …, {append =, mode =}. mode is a name, or permissions as a number or
 * as octal digits. */
static file_mode read_mode(job *j) {
  lua_State *L = j->L;
  lua_getfield(L, -1, "append");
  const char *name = j->fd->target == 0     ? "r"
                     : lua_toboolean(L, -1) ? "a"
                                            : "w";
  file_mode mode = {.flags = flags_of(name), .permissions = 0666};
  int type = lua_getfield(L, -2, "mode");
  const char *text = type == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (type == LUA_TNUMBER)
    mode.permissions = (mode_t)lua_tointeger(L, -1);
  else if (*text >= '0' && *text <= '7')
    mode.permissions = (mode_t)strtol(text, NULL, 8);
  else if (*text != '\0')
    mode.flags = flags_of(text);
  lua_pop(L, 2);
  return mode;
}

/* Stack: …, {file =, append =, mode =}. A relative name is ours, not the
 * child's: we open it. */
static void take_file(job *j) {
  lua_State *L = j->L;
  file_mode mode = read_mode(j);
  lua_getfield(L, -1, "file");
  open_for_child(j, lua_tostring(L, -1), mode.flags, mode.permissions);
  lua_pop(L, 1);
}

static void take_fd(job *j, int fd) {
  if (!lv_fd_is_inherited(fd)) fail(j, -EBADF, "fds", j->name);
  j->fd->source = fd;
  if (j->fd->target == 0 && isatty(fd)) j->plan->foreground = fd;
}

/* ---- streams ---- */

/* From now on others have our description, too, and must find it blocking. */
static void share(job *j, lv_io *io) {
  if (io->fd < 0 || io->mode != LV_IO_OWN) return;
  bool is_socket = lv_fd_kind_of(io->fd) == LV_FD_SOCKET;
  int rc = lv_fd_set_nonblocking(io->fd, false);
  if (rc < 0) fail(j, rc, "fds", j->name);
  io->mode = is_socket ? LV_IO_SOCKET : LV_IO_POLLED;
}

/* Ours is non-blocking, which the child must not see: it gets a description of
 * its own. Where there can be none, as of a socket, it gets ours. */
static void take_io(job *j, lv_io *io, int flags) {
  j->fd->source = io->fd;
  if (io->mode != LV_IO_OWN) return;
  int own = lv_fd_reopen(io->fd, flags);
  if (own < 0) {
    share(j, io);
    return;
  }
  j->fd->temporary = j->fd->source = own;
  int rc = lv_fd_set_nonblocking(own, false);
  if (rc < 0) fail(j, rc, "fds", j->name);
}

static void take_reader(job *j, const lv_reader_box *box) {
  if (box->r == NULL || box->r->io.fd < 0)
    refuse(j, "Closed", "the stream is closed");
  if (box->task || box->r->started)
    refuse(j, "Busy", "the stream has been read from, and may have read ahead");
  take_io(j, &box->r->io, O_RDONLY);
}

static void take_writer(job *j, const lv_writer_box *box) {
  if (box->w == NULL || box->w->io.fd < 0 || box->w->closing)
    refuse(j, "Closed", "the stream is closed");
  if (lv_writer_pending(box->w) > 0)
    refuse(j, "Busy",
           "not all that was written to the stream is out: drain it");
  take_io(j, &box->w->io, O_WRONLY);
}

/* Both directions of a stream have one description: shared is shared. */
static void take_duplex(job *j, const lv_reader_box *reader,
                        const lv_writer_box *writer) {
  if (j->fd->target == 0)
    take_reader(j, reader);
  else
    take_writer(j, writer);
  if (j->fd->temporary >= 0) return;
  if (reader->r) share(j, &reader->r->io);
  if (writer->w) share(j, &writer->w->io);
}

static void take_lua_file(job *j, const luaL_Stream *file) {
  if (file->closef == NULL) refuse(j, "Closed", "the file is closed");
  fflush(file->f);
  take_fd(j, fileno(file->f));
}

/* The value on top. */
static void take_userdata(job *j) {
  lua_State *L = j->L;
  const lv_reader_box *reader = lv_to_reader(L, -1);
  const lv_writer_box *writer = lv_to_writer(L, -1);
  const luaL_Stream *file = luaL_testudata(L, -1, LUA_FILEHANDLE);
  if (reader)
    take_reader(j, reader);
  else if (writer)
    take_writer(j, writer);
  else if (file)
    take_lua_file(j, file);
  else
    refuse(j, "UsageError", "expected a stream or a file, got a userdata");
}

/* The table on top: a file, or a stream that is read and written. */
static void take_table(job *j) {
  lua_State *L = j->L;
  lua_pushliteral(L, "_reader");
  lua_rawget(L, -2);
  lua_pushliteral(L, "_writer");
  lua_rawget(L, -3);
  const lv_reader_box *reader = lv_to_reader(L, -2);
  const lv_writer_box *writer = lv_to_writer(L, -1);
  if (reader && writer) take_duplex(j, reader, writer);
  lua_pop(L, 2);
  if (!reader || !writer) take_file(j);
}

/* The value on top, popped. */
static void take_value(job *j) {
  lua_State *L = j->L;
  switch (lua_type(L, -1)) {
  case LUA_TSTRING: take_word(j); break;
  case LUA_TNUMBER: take_fd(j, (int)lua_tointeger(L, -1)); break;
  case LUA_TTABLE: take_table(j); break;
  default: take_userdata(j);
  }
  lua_pop(L, 1);
}

/* ---- all of them ---- */

static void open_pty(job *j) {
  lua_State *L = j->L;
  lv_stdio_plan *plan = j->plan;
  lv_pty_opts opts = {.echo = true};
  int type = lua_getfield(L, j->arg, "pty");
  if (type == LUA_TTABLE) {
    lua_getfield(L, -1, "rows");
    lua_getfield(L, -2, "cols");
    opts.rows = (int)lua_tointeger(L, -2);
    opts.cols = (int)lua_tointeger(L, -1);
    lua_pop(L, 2);
    if (lua_getfield(L, -1, "echo") == LUA_TBOOLEAN)
      opts.echo = lua_toboolean(L, -1);
    lua_pop(L, 1);
  }
  bool wanted = lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (!wanted) return;
  int rc = lv_pty_open(&opts, &plan->pty_master, &plan->pty_slave);
  if (rc == 0) rc = plan->pty_writer = lv_fd_dup(plan->pty_master);
  if (rc < 0) fail(j, rc, "pty", NULL);
}

static void open_cgroup(job *j) {
  lua_State *L = j->L;
  if (lua_getfield(L, j->arg, "cgroup") != LUA_TNIL) {
    const char *path = lua_tostring(L, -1);
    int fd = lv_fd_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) fail(j, fd, "cgroup", path);
    j->plan->cgroup = fd;
  }
  lua_pop(L, 1);
}

static void add(job *j, int target) {
  j->fd = &j->plan->fds[j->plan->n++];
  *j->fd =
      (lv_fd_plan){.target = target, .source = -1, .temporary = -1, .end = -1};
}

static void take_default(job *j) {
  if (j->plan->pty_slave >= 0)
    j->fd->source = j->plan->pty_slave;
  else if (j->fd->target == 0)
    take_null(j);
  else
    take_inherit(j);
}

static void take_standard(job *j) {
  static const char *const names[] = {"stdin", "stdout", "stderr"};
  for (int target = 0; target <= 2; target++) {
    snprintf(j->name, sizeof j->name, "%s", names[target]);
    add(j, target);
    if (lua_getfield(j->L, j->arg, names[target]) != LUA_TNIL) {
      take_value(j);
      continue;
    }
    lua_pop(j->L, 1);
    take_default(j);
  }
}

/* Stack: …, fds or nil */
static void take_others(job *j) {
  lua_State *L = j->L;
  if (lua_isnil(L, -1)) return;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    int target = (int)lua_tointeger(L, -2);
    snprintf(j->name, sizeof j->name, "fds[%d]", target);
    add(j, target);
    take_value(j);
  }
}

static size_t count_others(lua_State *L) {
  size_t n = 0;
  if (lua_isnil(L, -1)) return 0;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pop(L, 1);
    n++;
  }
  return n;
}

static size_t get_size(lua_State *L, int arg, const char *name, size_t absent) {
  lua_getfield(L, arg, name);
  size_t n = lua_isnil(L, -1) ? absent : (size_t)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return n;
}

/* Room for this many descriptors and their maps. */
static lv_stdio_plan *push_plan(lua_State *L, int arg, size_t n) {
  lv_stdio_plan *plan;
  size_t fds = n * sizeof *plan->fds, maps = n * sizeof *plan->maps;
  plan = lua_newuserdatauv(L, sizeof *plan + fds + maps, 0);
  *plan = (lv_stdio_plan){
      .pty_master = -1,
      .pty_writer = -1,
      .pty_slave = -1,
      .foreground = -1,
      .cgroup = -1,
      .limit = get_size(L, arg, "limit", LV_READER_LIMIT),
      .max_line = get_size(L, arg, "max_line", LV_MAX_LINE),
      .maps = (lv_fd_map *)(void *)(plan->fds + n),
  };
  luaL_setmetatable(L, METATABLE);
  return plan;
}

static void make_maps(lv_stdio_plan *plan) {
  for (size_t i = 0; i < plan->n; i++)
    if (plan->fds[i].source >= 0)
      plan->maps[plan->nmaps++] =
          (lv_fd_map){plan->fds[i].target, plan->fds[i].source};
}

lv_stdio_plan *lv_push_stdio_plan(lua_State *L, int arg) {
  luaL_checkstack(L, 12, NULL);
  lua_getfield(L, arg, "fds");
  lv_stdio_plan *plan = push_plan(L, arg, 3 + count_others(L));
  lua_insert(L, -2);
  job j = {.L = L, .arg = arg, .plan = plan};
  j.pipe_size = (int)get_size(L, arg, "pipe_size", 0);
  open_cgroup(&j);
  open_pty(&j);
  take_standard(&j);
  take_others(&j);
  lua_pop(L, 1);
  make_maps(plan);
  return plan;
}

/* ---- our ends, as streams ---- */

static void open_reader(lua_State *L, lv_rt *rt, int *fd,
                        const lv_stdio_plan *plan) {
  lv_reader_box *box = lv_push_reader_box(L);
  box->max_line = plan->max_line;
  lv_io io;
  int rc = lv_io_own(*fd, &io);
  if (rc == 0) rc = lv_reader_box_open(box, rt, io, plan->limit);
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

void lv_push_streams(lua_State *L, lv_stdio_plan *plan, lv_rt *rt) {
  lua_createtable(L, 2, 2);
  for (size_t i = 0; i < plan->n; i++) {
    lv_fd_plan *fd = &plan->fds[i];
    if (fd->end < 0) continue;
    if (fd->reading)
      open_reader(L, rt, &fd->end, plan);
    else
      open_writer(L, rt, &fd->end);
    lua_rawseti(L, -2, fd->target);
  }
  if (plan->pty_master < 0) return;
  open_reader(L, rt, &plan->pty_master, plan);
  lua_setfield(L, -2, "tty_reader");
  open_writer(L, rt, &plan->pty_writer);
  lua_setfield(L, -2, "tty_writer");
}

static int l_gc(lua_State *L) {
  lv_stdio_plan_close(lua_touserdata(L, 1));
  return 0;
}

void lv_make_stdio_class(lua_State *L) {
  static const luaL_Reg meta[] = {{"__gc", l_gc}, {NULL, NULL}};
  lv_make_class(L, METATABLE, NULL, meta);
}
