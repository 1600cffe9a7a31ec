/* bind/fs.c — Work on files and folders, done by a thread while the task waits.
 *
 * A cancelled operation that only looks is left to itself: it may hang for as
 * long as a network disk is away. One that changes something is waited for; it
 * gives up where it can undo what it did, else it has happened.
 * @module luvisor.core.fs */
#include "bind/fs.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "bind/stream.h"
#include "core/fsjob.h"
#include "os/tree.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <string.h>

static const char METATABLE[] = "luvisor.fs_job";

/* Stack of all here: path, other path or contents, mode, n, job */
enum { PATH = 1, OTHER, MODE, N, JOB };

enum { IN_PLACE_FROM = 1 << 20 }; /* bytes that are dear to copy */

typedef struct {
  lv_fsjob *job; /* NULL: freed, or left to itself */
  lv_task *task;
} box;

/* ---- results ---- */

static int push_nothing(lua_State *L, lv_fsjob *job) {
  (void)L, (void)job;
  return 0;
}

static int push_text(lua_State *L, lv_fsjob *job) {
  size_t n = lv_buf_size(&job->bytes);
  lua_pushlstring(L, n > 0 ? lv_buf_bytes(&job->bytes) : "", n);
  return 1;
}

/* A big block becomes the string itself: see bind/alloc.h. */
static int push_bytes(lua_State *L, lv_fsjob *job) {
  lv_alloc *alloc = &lv_host_of(L)->alloc;
  size_t n = lv_buf_size(&job->bytes);
  char *block = NULL;
  if (n >= IN_PLACE_FROM && alloc->header > 0)
    block = lv_buf_detach(&job->bytes, alloc->header, 1);
  if (block == NULL) return push_text(L, job);
  lv_alloc_push_block(L, alloc, block, n);
  return 1;
}

static int raise_unopened(lua_State *L, int rc) {
  return lv_raise_os(L, rc, "open", lua_tostring(L, PATH));
}

/* The bytes, and a Reader of what comes after them if it is no file. */
static int push_read(lua_State *L, lv_fsjob *job) {
  push_bytes(L, job);
  if (job->fd < 0) return 1;
  lv_reader_box *r = lv_push_reader_box(L);
  lv_io io;
  int rc = lv_io_own(job->fd, &io);
  if (rc == 0)
    rc = lv_reader_box_open(r, &lv_host_of(L)->rt, io, LV_READER_LIMIT);
  if (rc < 0) return raise_unopened(L, rc);
  job->fd = -1;
  return 2;
}

/* nothing, or a Writer to what is no file. */
static int push_written(lua_State *L, lv_fsjob *job) {
  if (job->fd < 0) return 0;
  lv_writer_box *w = lv_push_writer_box(L);
  lv_io io;
  int rc = lv_io_own(job->fd, &io);
  if (rc == 0) rc = lv_writer_box_open(w, &lv_host_of(L)->rt, io);
  if (rc < 0) return raise_unopened(L, rc);
  job->fd = -1;
  return 1;
}

static const char *type_name(char letter) {
  switch (letter) {
  case 'f': return "file";
  case 'd': return "directory";
  case 'l': return "link";
  case 'p': return "fifo";
  case 's': return "socket";
  case 'c': return "char";
  case 'b': return "block";
  default: return "unknown";
  }
}

static void set_integer(lua_State *L, const char *name, long long value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static void set_time(lua_State *L, const char *name, struct timespec ts) {
  lua_pushnumber(L, (lua_Number)ts.tv_sec + (lua_Number)ts.tv_nsec / 1e9);
  lua_setfield(L, -2, name);
}

static int push_stat(lua_State *L, lv_fsjob *job) {
  const struct stat *st = &job->st;
  lua_createtable(L, 0, 11);
  lua_pushstring(L, type_name(lv_type_letter(st->st_mode)));
  lua_setfield(L, -2, "type");
  set_integer(L, "size", st->st_size);
  set_integer(L, "mode", st->st_mode & 07777);
  set_integer(L, "uid", st->st_uid);
  set_integer(L, "gid", st->st_gid);
  set_integer(L, "nlink", (long long)st->st_nlink);
  set_integer(L, "ino", (long long)st->st_ino);
  set_integer(L, "dev", (long long)st->st_dev);
  set_time(L, "mtime", st->st_mtim);
  set_time(L, "atime", st->st_atim);
  set_time(L, "ctime", st->st_ctim);
  return 1;
}

static int push_entries(lua_State *L, lv_fsjob *job) {
  size_t n = lv_buf_size(&job->bytes);
  const char *at = n > 0 ? lv_buf_bytes(&job->bytes) : "";
  const char *end = at + n;
  lua_newtable(L);
  for (lua_Integer i = 1; at != end; i++) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, at + 1);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, type_name(*at));
    lua_setfield(L, -2, "type");
    lua_rawseti(L, -2, i);
    at += strlen(at) + 1;
  }
  return 1;
}

static int push_watch(lua_State *L, lv_fsjob *job) {
  return lv_push_fs_watch(L, &job->fd, PATH);
}

static const struct {
  const char *name;
  int (*push)(lua_State *L, lv_fsjob *job);
} results[] = {
    {"read", push_read},       {"write", push_written},
    {"replace", push_nothing}, {"stat", push_stat},
    {"lstat", push_stat},      {"scandir", push_entries},
    {"mkdir", push_nothing},   {"mkdtemp", push_text},
    {"remove", push_nothing},  {"rename", push_nothing},
    {"readlink", push_text},   {"symlink", push_nothing},
    {"chmod", push_nothing},   {"realpath", push_text},
    {"watch", push_watch},
};

/* ---- waiting ---- */

static void free_job(box *b) {
  if (b->job) lv_fsjob_free(b->job);
  b->job = NULL;
}

static void on_done(void *arg) {
  lv_wake(((box *)arg)->task, 0);
}

static lv_abort abort_job(lv_task *t, void *op) {
  box *b = op;
  (void)t;
  if (!lv_fsjob_cancel(b->job)) return LV_PENDING;
  b->job = NULL;
  return LV_STOPPED;
}

static int raise_failed(lua_State *L, box *b) {
  const lv_fsjob *job = b->job;
  int rc = job->rc;
  const char *op = job->fault.op;
  lua_pushstring(L, job->fault.subject ? job->fault.subject : job->path);
  if (job->other && strcmp(op, "rename") == 0)
    lua_pushfstring(L, "%s to %s", lua_tostring(L, -1), job->other);
  bool too_big = rc == -EFBIG && strcmp(op, "read") == 0;
  free_job(b);
  if (!too_big) return lv_raise_os(L, rc, op, lua_tostring(L, -1));
  return lv_raise(L, "LimitOverrun", "read %s: more than %I bytes",
                  lua_tostring(L, -1), lua_tointeger(L, N));
}

static int job_done(lua_State *L, int status, lua_KContext result) {
  lv_task *t = lv_task_of(L);
  box *b = lua_touserdata(L, JOB);
  (void)status;
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  if (b->job->rc == -ECANCELED) {
    free_job(b);
    return lv_raise_cancelled(L, t);
  }
  if (b->job->rc < 0) return raise_failed(L, b);
  int n = results[result].push(L, b->job);
  free_job(b);
  return n;
}

/* _do(path, other or contents, mode, n): upvalues are the operation and the
 * place of its results. */
static int l_do(lua_State *L) {
  const lv_fsop *op = lua_touserdata(L, lua_upvalueindex(1));
  const char *path = luaL_checkstring(L, PATH);
  size_t size;
  const char *other = luaL_optlstring(L, OTHER, NULL, &size);
  int mode = (int)luaL_optinteger(L, MODE, -1);
  lua_Integer n = luaL_optinteger(L, N, 0);
  lv_task *t = lv_task_check(L);
  lua_settop(L, N);
  box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (box){.task = t};
  luaL_setmetatable(L, METATABLE);
  bool has_contents = lua_toboolean(L, lua_upvalueindex(3));
  b->job = lv_fsjob_new(op, path, has_contents ? NULL : other);
  if (b->job == NULL) return luaL_error(L, "not enough memory");
  b->job->contents = (lv_contents){.mode = mode};
  if (has_contents) b->job->contents.bytes = other;
  if (has_contents) b->job->contents.n = size;
  b->job->n = n;
  int rc = lv_fsjob_start(b->job, &t->host->rt.loop, on_done, b);
  if (rc < 0) return lv_raise_os(L, rc, op->name, path);
  t->kctx = lua_tointeger(L, lua_upvalueindex(2));
  return lv_park(L, t, "a file", b, abort_job, job_done);
}

static int l_gc(lua_State *L) {
  free_job(lua_touserdata(L, 1));
  return 0;
}

static void push_function(lua_State *L, size_t i) {
  const char *name = results[i].name;
  bool has_contents =
      strcmp(name, "write") == 0 || strcmp(name, "replace") == 0;
  lua_pushlightuserdata(L, (void *)lv_fsop_find(name));
  lua_pushinteger(L, (lua_Integer)i);
  lua_pushboolean(L, has_contents);
  lua_pushcclosure(L, l_do, 3);
}

int lv_open_fs(lua_State *L) {
  static const luaL_Reg meta[] = {{"__gc", l_gc}, {NULL, NULL}};
  lv_make_class(L, METATABLE, NULL, meta);
  lv_make_fs_watch_class(L);
  lua_newtable(L);
  for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
    push_function(L, i);
    lua_setfield(L, -2, results[i].name);
  }
  lv_set_fs_events(L);
  return 1;
}
