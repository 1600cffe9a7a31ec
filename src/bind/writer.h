/* bind/writer.h — What the files share that make up Writer: writer.c (writing
 * that waits), flow.c (writing that never does). */
#ifndef LV_BIND_WRITER_H
#define LV_BIND_WRITER_H

#include "bind/stream.h"

#include <lua.h>
#include <stdint.h>

enum { LV_LEND_FROM = 16 * 1024 }; /* bytes that are dear to copy */

/* Queue the string at `arg` without a copy: it is kept alive. The writer is
 * argument 1. 0 or -errno. */
int lv_writer_box_lend(lua_State *L, lv_writer_box *b, int arg);

/* Wait until no more than `most` bytes are pending, or with LV_UNTIL_CLOSED
 * until the descriptor is closed; k begins with lv_writer_box_woken. The
 * writer is argument 1. */
#define LV_UNTIL_CLOSED UINTPTR_MAX
int lv_writer_box_park(lua_State *L, lv_writer_box *b, size_t most,
                       lua_KFunction k);

/* The writer again, which may have failed; or raises: cancelled. */
lv_writer_box *lv_writer_box_woken(lua_State *L);

/* flow.c */
int lv_l_put(lua_State *L);
int lv_l_gather(lua_State *L);
int lv_l_room(lua_State *L);
int lv_l_until_closed(lua_State *L);
int lv_l_is_lost(lua_State *L);
int lv_l_marks(lua_State *L);

#endif
