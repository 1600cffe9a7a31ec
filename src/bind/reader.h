/* bind/reader.h — What the files share that make up Reader: reader.c (bytes),
 * lines.c (separators), fed.c, copy.c. */
#ifndef LV_BIND_READER_H
#define LV_BIND_READER_H

#include "bind/stream.h"

#include <lua.h>

static inline size_t lv_reader_box_size(const lv_reader_box *b) {
  return lv_buf_size(&b->r->buf);
}

/* n bytes are there, or all that will ever come. */
static inline bool lv_reader_box_has(const lv_reader_box *b, size_t n) {
  return lv_reader_box_size(b) >= n || lv_reader_is_done(b->r);
}

/* Raises Busy if a task reads already. */
void lv_reader_box_check_free(lua_State *L, const lv_reader_box *b);

/* Wait until the buffer has `need` bytes or the end has come; k begins with
 * lv_reader_box_woken. The reader is argument 1. */
int lv_reader_box_park(lua_State *L, lv_reader_box *b, size_t need,
                       lua_KFunction k);

/* The reader again; or raises: cancelled, closed. */
lv_reader_box *lv_reader_box_woken(lua_State *L);

/* If reading failed, raise that: after all that came before is taken. */
void lv_reader_box_check_failed(lua_State *L, const lv_reader_box *b);

/* Push the first n bytes but for `cut` at their end, and take them. */
void lv_reader_box_take(lua_State *L, lv_reader_box *b, size_t n, size_t cut);

/* End the wait of whoever reads: with the box' failure, or with Closed. */
void lv_reader_box_interrupt(lv_reader_box *b);

/* Wake whoever waits for it, with Closed. */
void lv_reader_box_close(lv_reader_box *b);

/* lines.c */
int lv_l_readline(lua_State *L);
int lv_l_lines(lua_State *L);
int lv_l_readuntil(lua_State *L);
int lv_l_line_now(lua_State *L);
int lv_l_either(lua_State *L);

/* fed.c */
int lv_l_fed(lua_State *L);
int lv_l_feed(lua_State *L);
int lv_l_feed_eof(lua_State *L);
int lv_l_fail(lua_State *L);
int lv_l_hold(lua_State *L);
int lv_l_start(lua_State *L);
int lv_l_attach(lua_State *L);
int lv_l_state(lua_State *L);

/* copy.c */
int lv_l_copy_to(lua_State *L);

#endif
