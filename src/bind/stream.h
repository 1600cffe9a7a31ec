/* bind/stream.h — Readers and Writers as Lua sees them. */
#ifndef LV_BIND_STREAM_H
#define LV_BIND_STREAM_H

#include "bind/task.h"
#include "core/reader.h"
#include "core/writer.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

enum { LV_HIGH_WATER = 64 * 1024, LV_MAX_LINE = 1024 * 1024 };

/* What a reading task waits for. */
typedef struct {
  enum { LV_WANT_SOME, LV_WANT_EXACTLY, LV_WANT_ALL, LV_WANT_UNTIL } what;
  size_t n; /* bytes; with UNTIL the most before the separator */
} lv_want;

typedef struct {
  lv_reader *r;   /* NULL once closed */
  lv_task *task;  /* that reads now, or NULL */
  lv_want want;   /* of task */
  size_t scanned; /* bytes of the buffer known to hold no separator */
  size_t max_line;
  size_t most; /* what communicate may collect */
  bool watched; /* task waits for two readers (process.lines) */
} lv_reader_box;

typedef struct {
  lv_writer *w;
  lv_list waiting; /* tasks by link; task->op is how many bytes may pend */
  bool is_stdout;  /* C's stdout is flushed before: print() goes first */
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

void lv_make_reader_class(lua_State *L);
void lv_make_writer_class(lua_State *L);

/* reader:copy_to, in bind/copy.c */
int lv_l_copy_to(lua_State *L);

#endif
