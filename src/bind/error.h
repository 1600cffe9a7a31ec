/* bind/error.h — Error objects, made and recognised from C. */
#ifndef LV_BIND_ERROR_H
#define LV_BIND_ERROR_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* Push an error object of this kind with this message (lua_pushfstring's
 * format); fields may be added before it is raised. */
void lv_push_error(lua_State *L, const char *kind, const char *fmt, ...);

/* Push the error object for a failed system call: OSError, or the kind that
 * the code has of its own (BrokenPipe, NoProcess, Closed). code < 0. */
void lv_push_oserror(lua_State *L, int code, const char *op,
                     const char *subject);

/* The same, raised. They never return; `return lv_…` reads well. */
int lv_raise(lua_State *L, const char *kind, const char *fmt, ...);
int lv_raise_os(lua_State *L, int code, const char *op, const char *subject);
int lv_usage(lua_State *L, const char *fmt, ...);

/* The cancellation of scope `id`, pushed; and the id of such an error, 0 if
 * the value is none. */
void lv_push_cancelled(lua_State *L, uint64_t scope_id);
uint64_t lv_cancelled_scope(lua_State *L, int idx);

/* Whether the value is an error object. */
bool lv_is_error(lua_State *L, int idx);

/* "ENOENT" for -ENOENT; "errno 1234" for unknown ones. */
const char *lv_errno_name(int code);

/* Arguments, checked; what is wrong is raised as UsageError naming `what`. */
lua_Number lv_check_seconds(lua_State *L, int arg, const char *what);
lua_Integer lv_check_size(lua_State *L, int arg, const char *what);
int lv_check_signal(lua_State *L, int arg);
void lv_check_callable(lua_State *L, int arg, const char *what);

int lv_open_error(lua_State *L); /* luvisor.core.error */

#endif
