/* core/httplib.c — See httplib.h. */
#include "core/httplib.h"

#include "core/dynlib.h"

const lv_mhd *lv_mhd_get(void) {
  static const char *const files[] = {LV_MHD_FILE};
  static const char *const names[] = {
#define NAME(name) "MHD_" #name,
      LV_MHD_FUNCTIONS(NAME)
#undef NAME
  };
  static lv_mhd lib;
  static bool open;
  if (!open)
    open = lv_dynlib_open(files, 1, names, sizeof names / sizeof *names, &lib);
  return open ? &lib : NULL;
}
