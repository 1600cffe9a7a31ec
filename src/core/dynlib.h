/* core/dynlib.h — Functions of a library that is opened while we run. */
#ifndef LV_CORE_DYNLIB_H
#define LV_CORE_DYNLIB_H

#include <stdbool.h>
#include <stddef.h>

/* Open the first of the files that there is, and put the functions of these
 * names into a struct of as many pointers to functions. */
bool lv_dynlib_open(const char *const *files, size_t nfiles,
                    const char *const *names, size_t nnames, void *functions);

#endif
