/* bind/stress.h — A hostile collector, for tests: values that nothing holds are
 * gone at once, not some time. */
#ifndef LV_BIND_STRESS_H
#define LV_BIND_STRESS_H

#include <lua.h>
#include <stdbool.h>

typedef struct {
  lua_Alloc alloc; /* that does the work */
  void *arg;
  unsigned every, count;
  bool refused;
} lv_stress;

/* At each `every`-th value that is made Lua collects all that it can. The
 * stress must outlive L. */
void lv_stress_start(lua_State *L, lv_stress *s, unsigned every);

#endif
