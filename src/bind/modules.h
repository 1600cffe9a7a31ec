/* bind/modules.h — What require finds in the program itself. */
#ifndef LV_BIND_MODULES_H
#define LV_BIND_MODULES_H

#include <lua.h>

/* Preload luvisor.core.*, and put a searcher for the embedded luvisor.* before
 * the files'. $LUVISOR_LUA names a folder that goes before the embedded ones
 * (for work on luvisor itself). */
void lv_install_modules(lua_State *L);

int lv_open_clockset(lua_State *L);
int lv_open_control(lua_State *L);
int lv_open_curl(lua_State *L);
int lv_open_expect(lua_State *L);
int lv_open_fs(lua_State *L);
int lv_open_http(lua_State *L);
int lv_open_net(lua_State *L);
int lv_open_codec(lua_State *L);
int lv_open_guard(lua_State *L);
int lv_open_notify(lua_State *L);
int lv_open_os(lua_State *L);
int lv_open_pool(lua_State *L);
int lv_open_process(lua_State *L);
int lv_open_proctree(lua_State *L);
int lv_open_quota(lua_State *L);
int lv_open_signal(lua_State *L);
int lv_open_sink(lua_State *L);
int lv_open_stream(lua_State *L);
int lv_open_terminal(lua_State *L);
int lv_open_time(lua_State *L);

#endif
