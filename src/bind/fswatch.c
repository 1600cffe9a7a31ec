/* bind/fswatch.c — Events of a folder or file, as a task takes them.
 *
 * They wait in the kernel until they are asked for. Should there be too many,
 * it drops some and says so with one more, which is passed on as "overflow".
 * @module luvisor.core.fs */
#include "bind/fs.h"

#include "bind/class.h"
#include "bind/error.h"
#include "bind/fdwait.h"
#include "bind/host.h"
#include "os/fd.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>

static const char METATABLE[] = "luvisor.FsWatch";

typedef struct {
  lv_fdwait in;
  bool ended; /* nothing more will come */
  size_t head, tail;
  _Alignas(struct inotify_event) char bytes[4096 + NAME_MAX];
} box;

/* The path is the user value. */
enum { PATH = 1 };

static const struct {
  unsigned bit;
  const char *name;
} kinds[] = {
    {IN_CREATE, "created"},      {IN_MODIFY, "modified"},
    {IN_CLOSE_WRITE, "written"}, {IN_ATTRIB, "attributes"},
    {IN_DELETE, "deleted"},      {IN_MOVED_FROM, "moved_from"},
    {IN_MOVED_TO, "moved_to"},   {IN_MOVE_SELF, "moved"},
    {IN_DELETE_SELF, "gone"},    {IN_UNMOUNT, "gone"},
    {IN_Q_OVERFLOW, "overflow"},
};

enum { KINDS = sizeof kinds / sizeof *kinds, NAMED = 9 };

void lv_set_fs_events(lua_State *L) {
  lua_createtable(L, 0, NAMED);
  for (size_t i = 0; i < NAMED; i++) {
    lua_pushinteger(L, kinds[i].bit);
    lua_setfield(L, -2, kinds[i].name);
  }
  lua_setfield(L, -2, "events");
}

/* ---- one event ---- */

static const char *kind_of(unsigned mask) {
  for (size_t i = 0; i < KINDS; i++)
    if (mask & kinds[i].bit) return kinds[i].name;
  return "unknown";
}

/* Push {type =, path =, name =, is_dir =, cookie =}. */
static void push_event(lua_State *L, const struct inotify_event *e) {
  lua_createtable(L, 0, 5);
  lua_pushstring(L, kind_of(e->mask));
  lua_setfield(L, -2, "type");
  lua_getiuservalue(L, 1, PATH);
  if (e->len > 0) {
    lua_pushstring(L, e->name);
    lua_pushvalue(L, -1);
    lua_setfield(L, -4, "name");
    lua_pushfstring(L, "%s/%s", lua_tostring(L, -2), lua_tostring(L, -1));
    lua_replace(L, -3);
    lua_pop(L, 1);
  }
  lua_setfield(L, -2, "path");
  if (e->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))
    return;
  lua_pushboolean(L, (e->mask & IN_ISDIR) != 0);
  lua_setfield(L, -2, "is_dir");
  if (e->cookie == 0) return;
  lua_pushinteger(L, e->cookie);
  lua_setfield(L, -2, "cookie");
}

/* The next one of the buffer that is for the script, or NULL. */
static const struct inotify_event *take(box *b) {
  while (b->head < b->tail) {
    const struct inotify_event *e = (const void *)(b->bytes + b->head);
    b->head += sizeof *e + e->len;
    if ((e->mask & IN_IGNORED) == 0) return e;
    b->ended = true;
  }
  return NULL;
}

/* Bytes read, 0 at the end of all, or -errno. */
static ssize_t fill(box *b) {
  ssize_t n = lv_fd_read(b->in.fd, b->bytes, sizeof b->bytes);
  b->head = 0;
  b->tail = n > 0 ? (size_t)n : 0;
  return n;
}

/* ---- waiting ---- */

static int next_done(lua_State *L, int status, lua_KContext ctx);

static int raise_failed(lua_State *L, int rc) {
  lua_getiuservalue(L, 1, PATH);
  return lv_raise_os(L, rc, "watch", lua_tostring(L, -1));
}

static int wait_for(lua_State *L, box *b) {
  lv_task *t = lv_task_check(L);
  int rc = lv_fdwait_park(L, t, &b->in, "a change of a file", next_done);
  return raise_failed(L, rc);
}

static int next(lua_State *L, box *b) {
  for (;;) {
    const struct inotify_event *e = take(b);
    if (e) {
      push_event(L, e);
      return 1;
    }
    if (b->ended || b->in.fd < 0) return 0;
    ssize_t n = fill(b);
    if (n == -EAGAIN) return wait_for(L, b);
    if (n < 0) return raise_failed(L, (int)n);
  }
}

static int next_done(lua_State *L, int status, lua_KContext ctx) {
  lv_task *t = lv_task_of(L);
  box *b = lua_touserdata(L, 1);
  (void)status, (void)ctx;
  lv_fdwait_done(&b->in, t);
  if (t->status == -ECANCELED) return lv_raise_cancelled(L, t);
  return next(L, b);
}

/*** watch:next() -> event | nil
 * Waits. nil: it is closed, or what was watched is gone.
 * @raise Busy, OSError */
static int l_next(lua_State *L) {
  box *b = luaL_checkudata(L, 1, METATABLE);
  lua_settop(L, 1);
  lv_fdwait_check(L, &b->in);
  return next(L, b);
}

/* ---- opening and closing ---- */

/*** watch:close()
 * Who waits gets nil. Twice is harmless. */
static int l_close(lua_State *L) {
  box *b = luaL_checkudata(L, 1, METATABLE);
  lv_fdwait_close(&b->in);
  b->head = b->tail = 0;
  return 0;
}

static int l_tostring(lua_State *L) {
  const box *b = luaL_checkudata(L, 1, METATABLE);
  lua_getiuservalue(L, 1, PATH);
  lua_pushfstring(L, "watch (%s%s)", lua_tostring(L, -1),
                  b->in.fd < 0 ? ", closed" : "");
  return 1;
}

int lv_push_fs_watch(lua_State *L, int *fd, int path) {
  lv_host_check_open(L);
  box *b = lua_newuserdatauv(L, sizeof *b, PATH);
  b->in = (lv_fdwait){.fd = -1};
  b->ended = false;
  b->head = b->tail = 0;
  luaL_setmetatable(L, METATABLE);
  lua_pushvalue(L, path);
  lua_setiuservalue(L, -2, PATH);
  b->in.fd = *fd;
  *fd = -1;
  return 1;
}

void lv_make_fs_watch_class(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"next", l_next}, {"close", l_close}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__call", l_next},
                                  {"__close", l_close},
                                  {"__gc", l_close},
                                  {"__tostring", l_tostring},
                                  {NULL, NULL}};
  lv_make_class(L, METATABLE, methods, meta);
}
