/* bind/http.h — What http.c (the server) and httprequest.c share. */
#ifndef LV_BIND_HTTP_H
#define LV_BIND_HTTP_H

#include "core/http.h"

#include <lua.h>

enum { LV_HTTP_PLACES = 4 }; /* that one server listens at */

/* Push a request that is in a list; it is taken out, and the list's reference
 * is the box's now. Raises if memory runs out: then nothing has changed. */
void lv_push_http_request(lua_State *L, lv_http_req *r);

void lv_make_http_request_class(lua_State *L);

#endif
