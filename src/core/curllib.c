/* core/curllib.c — See curllib.h. */
#include "core/curllib.h"

#include "core/dynlib.h"

/* Debian's three make the same functions over three TLS libraries. */
const lv_curl *lv_curl_get(void) {
  static const char *const files[] = {LV_CURL_FILE, "libcurl-gnutls.so.4",
                                      "libcurl-nss.so.4"};
  static const char *const names[] = {
#define NAME(name) "curl_" #name,
      LV_CURL_FUNCTIONS(NAME)
#undef NAME
  };
  static lv_curl lib;
  static bool open;
  if (open) return &lib;
  open = lv_dynlib_open(files, sizeof files / sizeof *files, names,
                        sizeof names / sizeof *names, &lib) &&
         lib.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return open ? &lib : NULL;
}
