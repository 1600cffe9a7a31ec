/* bind/process.h — A child process as Lua holds it. See process.c. */
#ifndef LV_BIND_PROCESS_H
#define LV_BIND_PROCESS_H

#include "base/list.h"
#include "core/foreground.h"
#include "core/proc.h"

#include <lua.h>

typedef struct {
  lv_proc *p;        /* NULL once closed */
  lv_list waiting;   /* tasks by link, for its end */
  lv_list exchanges; /* in exchange.c, for its end and its output */
  lv_foreground foreground;
} lv_proc_box;

lv_proc_box *lv_check_proc(lua_State *L, int arg); /* raises if closed */

/* h:_exchange, in exchange.c */
int lv_l_exchange(lua_State *L);

/* The process of these exchanges has ended. */
void lv_exchanges_look(lv_list *exchanges);

#endif
