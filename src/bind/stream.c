/* bind/stream.c — Streams of descriptors that are here already: new pipes, any
 * fd, the standard three.
 * @module luvisor.stream */
#include "bind/stream.h"

#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>

/*** stream.pipe() -> Reader, Writer
 * A new pipe: what is written to the one is read from the other. */
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
  if (rc == 0) ends[0] = -1;
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
  if (f) return lv_raise(L, "Closed", "the file is closed");
  lua_Integer fd = lua_isinteger(L, arg) ? lua_tointeger(L, arg) : -1;
  if (fd < 0 || fd > INT_MAX)
    return lv_usage(L, "expected a descriptor or a Lua file, got %s",
                    luaL_tolstring(L, arg, NULL));
  return (int)fd;
}

static int open_one(lua_State *L, lv_rt *rt, int fd, bool reading) {
  lv_reader_box *r = reading ? lv_push_reader_box(L) : NULL;
  lv_writer_box *w = reading ? NULL : lv_push_writer_box(L);
  lv_io io;
  int rc = lv_io_share(fd, reading ? O_RDONLY : O_WRONLY, &io);
  if (rc < 0) return rc;
  rc = reading ? lv_reader_box_open(r, rt, io, LV_READER_LIMIT)
               : lv_writer_box_open(w, rt, io);
  if (rc < 0) lv_fd_close(&io.fd);
  if (rc == 0 && w) w->is_stdout = fd == STDOUT_FILENO;
  return rc;
}

/* open(fd|file, "r"|"w") -> Reader | Writer. The descriptor stays the caller's:
 * the stream has one of its own, and nobody else feels it. */
static int l_open(lua_State *L) {
  static const char *const modes[] = {"r", "w", NULL};
  int fd = check_fd(L, 1);
  int mode = luaL_checkoption(L, 2, "r", modes);
  lua_settop(L, 2);
  int rc = open_one(L, &lv_host_of(L)->rt, fd, mode == 0);
  if (rc < 0) {
    lua_pushfstring(L, "descriptor %d", fd);
    return lv_raise_os(L, rc, "open", lua_tostring(L, -1));
  }
  return 1;
}

int lv_open_stream(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"pipe", l_pipe}, {"_open", l_open}, {NULL, NULL}};
  lv_make_reader_class(L);
  lv_make_writer_class(L);
  luaL_newlib(L, functions);
  return 1;
}
