/* core/curllib.h — libcurl, opened at its first use, as httplib.h has it. */
#ifndef LV_CORE_CURLLIB_H
#define LV_CORE_CURLLIB_H

#define CURL_DISABLE_DEPRECATION /* what replaces it is too new for Debian 12 */
#include <curl/curl.h>

#define LV_CURL_FUNCTIONS(X) \
  X(global_init)             \
  X(easy_init)               \
  X(easy_setopt)             \
  X(easy_getinfo)            \
  X(easy_pause)              \
  X(easy_strerror)           \
  X(easy_cleanup)            \
  X(multi_init)              \
  X(multi_setopt)            \
  X(multi_add_handle)        \
  X(multi_remove_handle)     \
  X(multi_socket_action)     \
  X(multi_info_read)         \
  X(multi_cleanup)           \
  X(slist_append)            \
  X(slist_free_all)

typedef struct {
/* A name, which takes no parentheses. NOLINTNEXTLINE(*-macro-parentheses) */
#define LV_CURL_POINTER(name) __typeof__(curl_##name) *name;
  LV_CURL_FUNCTIONS(LV_CURL_POINTER)
#undef LV_CURL_POINTER
} lv_curl;

#define LV_CURL_FILE "libcurl.so.4"

/* NULL: there is none. */
const lv_curl *lv_curl_get(void);

#endif
