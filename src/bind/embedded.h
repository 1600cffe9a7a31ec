/* bind/embedded.h — The Lua modules of lua/, which are part of the program,
 * compiled. tools/embed writes the table at build time. */
#ifndef LV_BIND_EMBEDDED_H
#define LV_BIND_EMBEDDED_H

#include <stddef.h>

typedef struct {
  const char *name;           /* as require knows it: "luvisor.task" */
  const unsigned char *bytes; /* of string.dump, with lines and names */
  size_t size;
} lv_embedded;

extern const lv_embedded lv_embedded_modules[]; /* sorted by name (strcmp) */
extern const size_t lv_embedded_count;

#endif
