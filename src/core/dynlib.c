/* core/dynlib.c — See dynlib.h. What has been opened stays so. */
#include "core/dynlib.h"

#include <dlfcn.h>
#include <string.h>

/* C has no cast from what dlsym returns to a function; POSIX says that both
 * have one representation. */
static bool find_all(void *library, const char *const *names, size_t n,
                     char *slot) {
  for (size_t i = 0; i < n; i++, slot += sizeof(void *)) {
    void *found = dlsym(library, names[i]);
    if (found == NULL) return false;
    memcpy(slot, &found, sizeof found);
  }
  return true;
}

bool lv_dynlib_open(const char *const *files, size_t nfiles,
                    const char *const *names, size_t nnames, void *functions) {
  for (size_t i = 0; i < nfiles; i++) {
    void *library = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) continue;
    if (find_all(library, names, nnames, functions)) return true;
    dlclose(library);
  }
  return false;
}
