/* bind/net.h — What the files share that make up luvisor.core.net: net.c
 * (addresses and names), netconnect.c, netlisten.c. */
#ifndef LV_BIND_NET_H
#define LV_BIND_NET_H

#include "bind/stream.h"
#include "os/addr.h"

#include <lua.h>

/* An address from the string of bytes that stands for it in Lua, and back. */
lv_addr lv_check_addr(lua_State *L, int arg);
void lv_push_addr(lua_State *L, const lv_addr *a);

/* Push "127.0.0.1:80", "[::1]:80", "/run/x", "@x". */
const char *lv_push_addr_text(lua_State *L, const lv_addr *a);

/* Push an Address: a table of family, host and port, or path. */
void lv_push_address(lua_State *L, const lv_addr *a);

/* Make streams of the two descriptors of one connection, which are taken over,
 * in boxes made before. Leaves reader, writer, our Address and the peer's on
 * L. `peer` may be empty: the socket is asked. */
int lv_push_connection(lua_State *L, lv_reader_box *r, lv_writer_box *w,
                       int pair[2], lv_addr *peer);

int lv_l_connect(lua_State *L); /* netconnect.c */
void lv_make_connect_class(lua_State *L);
int lv_l_listen(lua_State *L); /* netlisten.c */
void lv_make_listener_class(lua_State *L);

#endif
