/* bind/class.h — Classes of userdata. */
#ifndef LV_BIND_CLASS_H
#define LV_BIND_CLASS_H

#include <lauxlib.h>

/* Makes the metatable of a class, for luaL_setmetatable and luaL_checkudata,
 * with its metamethods, and with its methods as __index unless they are NULL.
 * Leaves the stack as it is. */
void lv_make_class(lua_State *L, const char *name, const luaL_Reg *methods,
                   const luaL_Reg *meta);

#endif
