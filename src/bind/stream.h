/* bind/stream.h — Readers and Writers as Lua sees them. */
#ifndef LV_BIND_STREAM_H
#define LV_BIND_STREAM_H

#include "bind/task.h"
#include "core/reader.h"
#include "core/writer.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { LV_HIGH_WATER = 64 * 1024, LV_MAX_LINE = 1024 * 1024 };

typedef struct {
  lv_reader *r;   /* NULL once closed */
  lv_task *task;  /* that reads now, or NULL */
  size_t scanned; /* bytes of the buffer known to hold no separator */
  size_t max_line;
  unsigned answers; /* lines found in the buffer: see lv_task_is_greedy */
  int failure;      /* what each read raises, in the registry; or LUA_NOREF */
} lv_reader_box;

typedef struct {
  lv_writer *w;
  lv_listener listener;
  lv_list waiting; /* tasks by link; task->op is how many bytes may pend */
  FILE *file;      /* C's, of the same descriptor: flushed before a write */
  bool told;       /* a failure has been raised */
  bool paused;     /* more than `high` were pending, and not yet `low` again */
  size_t high, low;
  size_t work; /* writes, and KiB, since lv_task_is_greedy was last asked */
} lv_writer_box;

/* Make the box first (it may raise, and owns nothing), open the stream into it
 * afterwards. */
lv_reader_box *lv_push_reader_box(lua_State *L);
lv_writer_box *lv_push_writer_box(lua_State *L);
int lv_reader_box_open(lv_reader_box *box, lv_rt *rt, lv_io io, size_t limit);
int lv_writer_box_open(lv_writer_box *box, lv_rt *rt, lv_io io);

lv_reader_box *lv_to_reader(lua_State *L, int arg); /* or NULL */
lv_writer_box *lv_to_writer(lua_State *L, int arg);
lv_reader_box *lv_check_reader(lua_State *L, int arg); /* raises if closed */
lv_writer_box *lv_check_writer(lua_State *L, int arg);

/* The table of options at arg, or nothing, has no key but `name`, and that is
 * of this type (luvisor.options); else raises UsageError. */
void lv_check_option(lua_State *L, int arg, const char *where, const char *name,
                     const char *type);

void lv_make_reader_class(lua_State *L);
void lv_make_writer_class(lua_State *L);

/* bind/print.c: make print, io.write and file:write keep their order with the
 * Writers of stdout and stderr, and tell which box (on top of L) that is. */
void lv_patch_print(lua_State *L);
void lv_set_standard_writer(lua_State *L, FILE *f);

#endif
