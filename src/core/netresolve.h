/* core/netresolve.h — Names of hosts to addresses, by libuv's threads. */
#ifndef LV_CORE_NETRESOLVE_H
#define LV_CORE_NETRESOLVE_H

#include <uv.h>

typedef struct lv_resolve lv_resolve;

/* status 0 and the addresses, which uv_freeaddrinfo frees and which are the
 * callee's now; or UV_EAI_… and NULL. */
typedef void (*lv_resolve_fn)(void *arg, int status, struct addrinfo *found);

/* 0 or a negative code of libuv's. */
int lv_resolve_start(lv_resolve **out, uv_loop_t *loop, const char *host,
                     lv_resolve_fn fn, void *arg);

/* fn is not called any more. A thread may go on asking for a while. */
void lv_resolve_abandon(lv_resolve *job);

#endif
