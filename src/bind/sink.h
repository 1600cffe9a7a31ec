/* bind/sink.h — Sinks as Lua sees them. */
#ifndef LV_BIND_SINK_H
#define LV_BIND_SINK_H

#include "base/list.h"
#include "core/sink.h"

#include <lua.h>
#include <stdbool.h>

typedef struct lv_sink_hub lv_sink_hub;

typedef struct {
  lv_sink *s; /* NULL before it is open, and once released */
  lv_sink_hub *hub;
  lv_list waiting; /* tasks by link: for a job to be done */
  lv_list link;    /* in the hub's list of those with news */
  lua_Integer id;
  unsigned news;
  unsigned jobs; /* how many have been done */
} lv_sink_box;

/* What it writes to, in words: the user value. */
enum { LV_SINK_SUBJECT = 1 };

lv_sink_box *lv_check_sink(lua_State *L, int arg); /* raises if closed */

/* Wait for the end of the sink's job, which must not be idle; k has the task's
 * kctx, and makes sure of what it needs. */
int lv_sink_box_park(lua_State *L, lv_sink_box *b, lua_KFunction k);

/* A follower of the sink at 1. */
int lv_push_follower(lua_State *L, lv_sink_box *b);
void lv_make_follower_class(lua_State *L);

int lv_l_log_tail(lua_State *L); /* sink.tail */

#endif
