/* bind/stdio.h — A child's descriptors: what each is, as the script says it. */
#ifndef LV_BIND_STDIO_H
#define LV_BIND_STDIO_H

#include "core/runtime.h"
#include "os/spawn.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* One descriptor of the child. */
typedef struct {
  int target;
  int source;    /* ours, or -1: it is closed in the child */
  int temporary; /* a source opened for the child only, or -1 */
  int end;       /* our end of a pipe, or -1 */
  bool reading;  /* … which we read */
} lv_fd_plan;

/* All of them. It is a userdata: if anything raises before they are used, the
 * collector closes what is open. */
typedef struct {
  size_t n, nmaps;
  int pty_master, pty_writer, pty_slave; /* or -1, as all here */
  int foreground;         /* terminal that the child inherits as stdin */
  int cgroup;             /* the directory that it starts in */
  size_t limit, max_line; /* of the Readers */
  lv_fd_map *maps;        /* nmaps of them, for lv_spawn */
  lv_fd_plan fds[];       /* n of them */
} lv_stdio_plan;

/* Read stdin, stdout, stderr, fds, pty, pipe_size, limit, max_line and cgroup
 * of the options table at `arg`, open what they need; pushes the plan. Raises
 * UsageError, SpawnError, Closed or Busy, and nothing is open then. */
lv_stdio_plan *lv_push_stdio_plan(lua_State *L, int arg);

/* The child has been started, or not: close what is not ours to keep. */
void lv_stdio_plan_close_temporaries(lv_stdio_plan *plan);
void lv_stdio_plan_close(lv_stdio_plan *plan);

/* Push a table of the streams of our ends by target, and under "tty_reader"
 * and "tty_writer" those of the terminal; the plan has none of them then. */
void lv_push_streams(lua_State *L, lv_stdio_plan *plan, lv_rt *rt);

void lv_make_stdio_class(lua_State *L);

#endif
