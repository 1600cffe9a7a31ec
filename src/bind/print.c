/* bind/print.c — print, io.write and file:write, in order with stream.stdout
 * and stream.stderr.
 *
 * Those Writers may have bytes queued when the script prints: then what is
 * printed is queued behind them. In the other direction a Writer flushes C's
 * buffer before it writes. In all else the functions are Lua's. */
#include "bind/error.h"
#include "bind/stream.h"

#include <errno.h>
#include <lauxlib.h>

/* Their addresses are registry keys of the boxes of the standard Writers. */
static const char STDOUT = 1, STDERR = 2;

static const char *key_of(const FILE *f) {
  return f == stdout ? &STDOUT : f == stderr ? &STDERR : NULL;
}

void lv_set_standard_writer(lua_State *L, FILE *f) {
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key_of(f));
}

typedef struct {
  FILE *f;
  lv_writer *w; /* bytes for f wait here, or NULL */
  bool ok;
} sink;

static sink sink_of(lua_State *L, FILE *f) {
  sink s = {.f = f, .ok = true};
  const char *key = key_of(f);
  if (key == NULL) return s;
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  const lv_writer_box *b = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (b && b->w && !b->w->closing && lv_writer_pending(b->w) > 0) s.w = b->w;
  return s;
}

static void emit(sink *s, const char *bytes, size_t n) {
  if (!s->ok) return;
  if (s->w == NULL) {
    s->ok = fwrite(bytes, 1, n, s->f) == n;
    return;
  }
  int rc = lv_writer_put(s->w, bytes, n);
  s->ok = rc == 0;
  errno = -rc;
}

static int l_print(lua_State *L) {
  luaL_Buffer b;
  int n = lua_gettop(L);
  luaL_checkstack(L, n, "too many arguments to print");
  for (int i = 1; i <= n; i++)
    luaL_tolstring(L, i, NULL);
  luaL_buffinit(L, &b);
  for (int i = 1; i <= n; i++) {
    if (i > 1) luaL_addchar(&b, '\t');
    size_t size;
    const char *text = lua_tolstring(L, n + i, &size);
    luaL_addlstring(&b, text, size);
  }
  luaL_addchar(&b, '\n');
  luaL_pushresult(&b);
  size_t size;
  const char *line = lua_tolstring(L, -1, &size);
  sink s = sink_of(L, stdout);
  emit(&s, line, size);
  if (s.w == NULL && fflush(stdout) != 0) s.ok = false;
  if (s.ok) return 0;
  return lv_raise_os(L, -errno, "write", "standard output");
}

/* Stack: what to write from `arg` on, the file on top → the file | nil, error */
static int write_all(lua_State *L, FILE *f, int arg) {
  sink s = sink_of(L, f);
  int end = lua_gettop(L);
  for (; arg < end; arg++) {
    size_t size;
    const char *text;
    char number[64];
    if (lua_type(L, arg) == LUA_TNUMBER) {
      int n = lua_isinteger(L, arg)
                  ? snprintf(number, sizeof number, LUA_INTEGER_FMT,
                             lua_tointeger(L, arg))
                  : snprintf(number, sizeof number, LUA_NUMBER_FMT,
                             lua_tonumber(L, arg));
      text = number;
      size = (size_t)n;
    } else {
      text = luaL_checklstring(L, arg, &size);
    }
    emit(&s, text, size);
  }
  return s.ok ? 1 : luaL_fileresult(L, 0, NULL);
}

static FILE *check_file(lua_State *L, int arg) {
  luaL_Stream *f = luaL_checkudata(L, arg, LUA_FILEHANDLE);
  if (f->closef == NULL) luaL_error(L, "attempt to use a closed file");
  return f->f;
}

/* Its upvalue is io.output, which knows the default file. */
static int l_io_write(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_call(L, 0, 1);
  luaL_Stream *f = luaL_checkudata(L, -1, LUA_FILEHANDLE);
  if (f->closef == NULL) return luaL_error(L, "default output file is closed");
  return write_all(L, f->f, 1);
}

static int l_file_write(lua_State *L) {
  FILE *f = check_file(L, 1);
  lua_pushvalue(L, 1);
  return write_all(L, f, 2);
}

void lv_patch_print(lua_State *L) {
  lua_pushcfunction(L, l_print);
  lua_setglobal(L, "print");
  lua_getglobal(L, "io");
  lua_getfield(L, -1, "output");
  lua_pushcclosure(L, l_io_write, 1);
  lua_setfield(L, -2, "write");
  luaL_getmetatable(L, LUA_FILEHANDLE);
  lua_getfield(L, -1, "__index");
  lua_pushcfunction(L, l_file_write);
  lua_setfield(L, -2, "write");
  lua_pop(L, 3);
}
