/* os/file.h — Whole files, read and written in one go. All of it may block:
 * it is called in a thread. */
#ifndef LV_OS_FILE_H
#define LV_OS_FILE_H

#include "base/buf.h"

#include <stdatomic.h>
#include <stddef.h>

/* What a call failed in, beside its -errno. */
typedef struct {
  const char *op; /* "open", "write", … */
  char *subject;  /* malloc'd; NULL: the path that was given */
} lv_fault;

/* Become true while a call runs: it gives up with -ECANCELED where it can leave
 * things as they were. */
typedef atomic_bool lv_flag;

/* Append all of the file to out: 0 or -errno, -EFBIG if it has more than `most`
 * bytes. What is neither file nor directory may make one wait for ever: of that
 * only what is there is read, and if it is not all, *fd is its descriptor,
 * non-blocking; else that is -1. */
int lv_file_read(const char *path, size_t most, lv_buf *out, int *fd,
                 const lv_flag *stop, lv_fault *fault);

typedef struct {
  const char *bytes;
  size_t n;
  int mode; /* the permissions it then has, exactly; -1: as they were, or what
               umask leaves of 0666 */
} lv_contents;

/* Set-user-ID and set-group-ID, which writing takes away (write(2)). */
enum { LV_FILE_SET_IDS = 06000 };

/* Once it is written: what of them is in mode. 0 or -errno. */
int lv_file_set_ids(int fd, int mode);

/* Write to a file, which is made if need be and emptied before unless `append`.
 * 0 or -errno. What is neither file nor directory is only opened: *fd. */
int lv_file_write(const char *path, const lv_contents *c, int append, int *fd,
                  lv_fault *fault);

/* Put a new file in the place of an old one, or of none: whoever looks sees the
 * one or the other, whole, and so after a crash. A symbolic link stays, and the
 * file is replaced that it names; owner and permissions stay, but no
 * set-user-ID where the owner cannot. 0 or -errno: -EINVAL if there is
 * something that is no file. */
int lv_file_replace(const char *path, const lv_contents *c, const lv_flag *stop,
                    lv_fault *fault);

/* What both are made of: write all, giving up on *stop (NULL: never); and close,
 * which some file systems only then say is impossible, for want of room. */
int lv_file_put(int fd, const char *bytes, size_t n, const lv_flag *stop);
int lv_file_close(int *fd);

/* Split a path at its last component, without slashes at its end. Both are
 * malloc'd; the directory is "." where none is named. 0, -ENOMEM, or -EINVAL if
 * the path names no component, as "/" and "" do. */
int lv_path_split(const char *path, char **dir, char **base);

#endif
