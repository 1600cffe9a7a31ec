/* bind/terminal.c — The modes of terminals.
 * @module luvisor.core.terminal */
#include "bind/class.h"
#include "bind/error.h"
#include "bind/modules.h"
#include "os/term.h"

#include <errno.h>
#include <lauxlib.h>

static const char GUARD[] = "luvisor.core.terminal.raw";

static int check_fd(lua_State *L) {
  return (int)luaL_checkinteger(L, 1);
}

/*** terminal.echoes(fd) -> boolean
 * Whether what is typed is shown; of either end of a pseudo-terminal.
 * @raise OSError */
static int l_echoes(lua_State *L) {
  int rc = lv_term_echoes(check_fd(L));
  if (rc < 0) return lv_raise_os(L, rc, "look at", "the terminal");
  lua_pushboolean(L, rc);
  return 1;
}

/*** terminal.eof_char(fd) -> string
 * The character that ends the input, "" if there is none.
 * @raise OSError */
static int l_eof_char(lua_State *L) {
  int rc = lv_term_eof_char(check_fd(L));
  if (rc < 0) return lv_raise_os(L, rc, "look at", "the terminal");
  char c = (char)rc;
  lua_pushlstring(L, &c, rc != 0);
  return 1;
}

/*** terminal.size(fd) -> rows, cols | nothing
 * Nothing if it is no terminal. */
static int l_size(lua_State *L) {
  int rows, cols;
  if (lv_term_get_size(check_fd(L), &rows, &cols) < 0) return 0;
  lua_pushinteger(L, rows);
  lua_pushinteger(L, cols);
  return 2;
}

/*** terminal.raw(fd) -> guard
 * Every byte is handed on as it is typed, until the guard is closed or the
 * program ends. One terminal at a time.
 * @raise OSError; Busy: one is raw already */
static int l_raw(lua_State *L) {
  int fd = check_fd(L);
  lua_newuserdatauv(L, 0, 0);
  int rc = lv_term_make_raw(fd);
  if (rc == -EBUSY)
    return lv_raise(L, "Busy", "interact: the terminal is handed over already");
  if (rc < 0) return lv_raise_os(L, rc, "make raw", "the terminal");
  luaL_setmetatable(L, GUARD);
  return 1;
}

/*** terminal.raw_again()
 * After we were stopped, and a shell has set the modes that it likes. */
static int l_raw_again(lua_State *L) {
  (void)L;
  lv_term_make_raw_again();
  return 0;
}

static int l_restore(lua_State *L) {
  (void)L;
  lv_term_restore();
  return 0;
}

int lv_open_terminal(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"echoes", l_echoes}, {"eof_char", l_eof_char},   {"size", l_size},
      {"raw", l_raw},       {"raw_again", l_raw_again}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__close", l_restore}, {NULL, NULL}};
  lv_make_class(L, GUARD, NULL, meta);
  luaL_newlib(L, functions);
  return 1;
}
