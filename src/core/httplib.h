/* core/httplib.h — libmicrohttpd, opened at its first use: linked to the
 * program, it and its TLS library would cost every start some milliseconds. */
#ifndef LV_CORE_HTTPLIB_H
#define LV_CORE_HTTPLIB_H

#include <microhttpd.h>

#define LV_MHD_FUNCTIONS(X)        \
  X(start_daemon)                  \
  X(stop_daemon)                   \
  X(run)                           \
  X(get_timeout)                   \
  X(get_daemon_info)               \
  X(add_connection)                \
  X(suspend_connection)            \
  X(resume_connection)             \
  X(get_connection_info)           \
  X(get_connection_values)         \
  X(lookup_connection_value)       \
  X(create_response_from_callback) \
  X(add_response_header)           \
  X(queue_response)                \
  X(destroy_response)

/* lv_mhd.run is MHD_run, and so on. */
typedef struct {
/* A name, which takes no parentheses. NOLINTNEXTLINE(*-macro-parentheses) */
#define LV_MHD_POINTER(name) __typeof__(MHD_##name) *name;
  LV_MHD_FUNCTIONS(LV_MHD_POINTER)
#undef LV_MHD_POINTER
} lv_mhd;

#define LV_MHD_FILE "libmicrohttpd.so.12"

/* NULL: it cannot be opened, or is another than we know. */
const lv_mhd *lv_mhd_get(void);

#endif
