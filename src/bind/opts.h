/* bind/opts.h — Reading a table of options into C's memory. Their types have
 * been checked in Lua; what C has to check raises UsageError. */
#ifndef LV_BIND_OPTS_H
#define LV_BIND_OPTS_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
  lua_State *L;
  int arg;  /* the options: an absolute index */
  int kept; /* a table of what must stay alive while C uses it */
} lv_opts;

/* The table of what is kept is pushed. */
lv_opts lv_opts_begin(lua_State *L, int arg);

/* Keep the value on top, which is popped. */
void lv_opts_keep(lv_opts *o);
void *lv_opts_keep_memory(lv_opts *o, size_t size);

/* Keep the string or number on top, which is popped. Raises if it is neither
 * or holds a zero byte, which no system call could take. */
char *lv_opts_keep_text(lv_opts *o, const char *what);

/* An option by name, or what stands for one that is not given. */
const char *lv_opts_text(lv_opts *o, const char *name); /* NULL */
bool lv_opts_flag(lv_opts *o, const char *name);        /* false */
lua_Integer lv_opts_integer(lv_opts *o, const char *name, lua_Integer absent);

#endif
