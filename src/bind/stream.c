/* bind/stream.c — Streams of descriptors that are here already: new pipes, any
 * fd, the standard three.
 * @module luvisor.stream */
#include "bind/stream.h"

#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "bind/reader.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>

/* A few calls of Lua's errors.check_options, for options read in C. */
void lv_check_option(lua_State *L, int arg, const char *where, const char *name,
                     const char *type) {
  if (lua_isnoneornil(L, arg)) return;
  arg = lua_absindex(L, arg);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "luvisor.error");
  lua_getfield(L, -1, "check_options");
  lua_pushstring(L, where);
  lua_pushvalue(L, arg);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, type);
  lua_setfield(L, -2, name);
  lua_call(L, 3, 0);
  lua_pop(L, 2);
}

/*** stream.pipe() -> Reader, Writer
 * A new pipe: what is written to the one is read from the other.
 * @raise OSError */
static int l_pipe(lua_State *L) {
  lv_rt *rt = &lv_host_of(L)->rt;
  lv_reader_box *r = lv_push_reader_box(L);
  lv_writer_box *w = lv_push_writer_box(L);
  int ends[2];
  int rc = lv_fd_pipe(ends);
  if (rc < 0) return lv_raise_os(L, rc, "pipe", NULL);
  lv_io in, out;
  rc = lv_io_own(ends[0], &in);
  if (rc == 0) rc = lv_io_own(ends[1], &out);
  if (rc == 0) rc = lv_reader_box_open(r, rt, in, LV_READER_LIMIT);
  if (rc == 0) ends[0] = -1; /* the reader's, which will be collected */
  if (rc == 0) rc = lv_writer_box_open(w, rt, out);
  if (rc == 0) return 2;
  lv_fd_close(&ends[0]);
  lv_fd_close(&ends[1]);
  return lv_raise_os(L, rc, "pipe", NULL);
}

/* An fd number or a Lua file; its fd, or raises. */
static int check_fd(lua_State *L, int arg) {
  luaL_Stream *f = luaL_testudata(L, arg, LUA_FILEHANDLE);
  if (f && f->closef) {
    fflush(f->f);
    return fileno(f->f);
  }
  if (f) return lv_raise(L, "Closed", "stream.open: the file is closed");
  lua_Integer fd = lua_isinteger(L, arg) ? lua_tointeger(L, arg) : -1;
  if (fd < 0 || fd > INT_MAX)
    return lv_usage(L,
                    "stream.open: expected a descriptor or a Lua file, got %s",
                    luaL_tolstring(L, arg, NULL));
  return (int)fd;
}

static void raise_not_opened(lua_State *L, int fd, int rc) {
  lua_pushfstring(L, "descriptor %d", fd);
  lv_raise_os(L, rc, "open", lua_tostring(L, -1));
}

/* _open_reader(fd|file) -> Reader */
static int l_open_reader(lua_State *L) {
  int fd = check_fd(L, 1);
  lv_reader_box *box = lv_push_reader_box(L);
  lv_io io;
  int rc = lv_io_share(fd, O_RDONLY, &io);
  if (rc < 0) raise_not_opened(L, fd, rc);
  rc = lv_reader_box_open(box, &lv_host_of(L)->rt, io, LV_READER_LIMIT);
  if (rc == 0) return 1;
  lv_fd_close(&io.fd);
  raise_not_opened(L, fd, rc);
  return 0;
}

/* _open_writer(fd|file) -> Writer */
static int l_open_writer(lua_State *L) {
  int fd = check_fd(L, 1);
  lv_writer_box *box = lv_push_writer_box(L);
  lv_io io;
  int rc = lv_io_share(fd, O_WRONLY, &io);
  if (rc < 0) raise_not_opened(L, fd, rc);
  rc = lv_writer_box_open(box, &lv_host_of(L)->rt, io);
  if (rc == 0) return 1;
  lv_fd_close(&io.fd);
  raise_not_opened(L, fd, rc);
  return 0;
}

/* _close_fd(fd): of a pipe that a stream of ours goes on with */
static int l_close_fd(lua_State *L) {
  int fd = check_fd(L, 1);
  lv_fd_close(&fd);
  return 0;
}

/* _set_standard(writer, file): what is written to io.stdout or io.stderr keeps
 * its order with what is written here. */
static int l_set_standard(lua_State *L) {
  lv_writer_box *box = lv_check_writer(L, 1);
  luaL_Stream *f = luaL_checkudata(L, 2, LUA_FILEHANDLE);
  box->file = f->f;
  lua_settop(L, 1);
  lv_set_standard_writer(L, f->f);
  return 0;
}

int lv_open_stream(lua_State *L) {
  static const luaL_Reg functions[] = {{"pipe", l_pipe},
                                       {"_open_reader", l_open_reader},
                                       {"_open_writer", l_open_writer},
                                       {"_close_fd", l_close_fd},
                                       {"_set_standard", l_set_standard},
                                       {"_fed", lv_l_fed},
                                       {NULL, NULL}};
  lv_make_reader_class(L);
  lv_make_writer_class(L);
  luaL_newlib(L, functions);
  return 1;
}
