/* os/tree.h — Directories: made, listed, removed with all that is in them. All
 * of it may block: it is called in a thread. */
#ifndef LV_OS_TREE_H
#define LV_OS_TREE_H

#include "os/file.h"

#include <stdbool.h>
#include <sys/types.h>

/* Make a directory, and with `parents` those above it that are missing; one
 * that is there already is then fine. mode: its permissions, exactly; -1: what
 * umask leaves of 0777. 0 or -errno. */
int lv_dir_make(const char *path, int mode, bool parents, lv_fault *fault);

/* Append to out an entry for each name but "." and "..", in the order of their
 * bytes: the letter of its type (lv_type_letter), the name, a zero byte. 0 or
 * -errno. */
int lv_dir_list(const char *path, lv_buf *out, const lv_flag *stop,
                lv_fault *fault);

/* 'f'ile, 'd'irectory, symbolic 'l'ink, fifo 'p', 's'ocket, 'c'haracter and
 * 'b'lock device, '?' */
char lv_type_letter(mode_t mode);

/* Remove a file or an empty directory; with `whole` also what is in it, but
 * never what a symbolic link names: each directory is opened as the one that
 * was seen. 0 or -errno; fault->subject is the path that could not be removed.
 * -EBUSY: the root directory. */
int lv_tree_remove(const char *path, bool whole, const lv_flag *stop,
                   lv_fault *fault);

#endif
