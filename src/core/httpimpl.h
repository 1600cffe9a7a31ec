/* core/httpimpl.h — What http.c (listening, connections) and httpreq.c
 * (requests) share. */
#ifndef LV_CORE_HTTPIMPL_H
#define LV_CORE_HTTPIMPL_H

#include "core/http.h"
#include "core/httplib.h"
#include "core/watch.h"

enum { LV_HTTP_LISTENERS = 4 };

typedef struct {
  lv_http *http;
  int fd;
  lv_watch *watch;
} lv_http_listener;

struct lv_http {
  lv_rt *rt;
  const lv_mhd *mhd;
  struct MHD_Daemon *daemon;
  lv_watch *watch; /* of its epoll set */
  lv_timer again;  /* it has more to do at once */
  lv_timer rest;   /* no descriptors: accepting goes on after it */
  lv_http_opts opts;
  lv_list conns;
  unsigned nconns;
  size_t bodies;        /* bytes of all that are being gathered */
  lv_http_conn *adding; /* being given to the library */
  bool stopping;
  int nlisteners;
  lv_http_listener listeners[LV_HTTP_LISTENERS];
};

struct lv_http_conn {
  lv_list link;
  lv_http *http;
  struct MHD_Connection *mhd; /* NULL: not the library's yet */
  lv_http_req *req;           /* the one that it is busy with */
  int fd;                     /* the library's */
  bool internet;
  bool suspended;
  lv_watch *watch;   /* for its peer to leave, while it is suspended */
  lv_timer patience; /* ends with the connection being shut down */
};

/* The peer has this long for its next step; 0: as long as it likes. */
void lv_http_conn_limit(lv_http_conn *c, double seconds);

/* The library leaves it alone until it is resumed; only from its callbacks. */
void lv_http_conn_suspend(lv_http_conn *c);
void lv_http_conn_resume(lv_http_conn *c); /* not suspended: harmless */

/* The library's callbacks. */
void *lv_http_on_target(void *http, const char *target,
                        struct MHD_Connection *mhd);
enum MHD_Result lv_http_on_access(void *http, struct MHD_Connection *mhd,
                                  const char *url, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_size, void **req);
void lv_http_on_completed(void *http, struct MHD_Connection *mhd, void **req,
                          enum MHD_RequestTerminationCode how);

/* It was left by its peer: over, once the library hears of it. */
void lv_http_req_leave(lv_http_req *r);

#endif
