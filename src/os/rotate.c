/* os/rotate.c — See rotate.h; lv_rotate_tail is in tail.c.
 *
 * The oldest is unlinked before the others move: to rename over it costs a
 * third of the speed on ext4. A number that is missing, after a crash between
 * two renames, is filled by those below it. */
#include "os/rotate.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef char path_buf[PATH_MAX];

enum { MOST = 1000 }; /* no number is higher */

static const char *const endings[] = {"", ".gz"};

enum { ENDINGS = sizeof endings / sizeof *endings };

static int path_of(path_buf path, const char *name, unsigned number,
                   const char *ending) {
  int n = snprintf(path, PATH_MAX, "%s.%u%s", name, number, ending);
  return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Its size if there is one of this number in any form, else -1. */
static long long size_of(const char *name, unsigned number) {
  long long size = -1;
  for (int i = 0; i < ENDINGS; i++) {
    path_buf path;
    struct stat st;
    if (path_of(path, name, number, endings[i]) < 0) continue;
    if (lstat(path, &st) == 0) size = (size < 0 ? 0 : size) + st.st_size;
  }
  return size;
}

static void remove_number(const char *name, unsigned number) {
  for (int i = 0; i < ENDINGS; i++) {
    path_buf path;
    if (path_of(path, name, number, endings[i]) == 0) unlink(path);
  }
}

/* From here on, up to the first that is missing. */
static void remove_from(const char *name, unsigned number) {
  for (; number <= MOST && size_of(name, number) >= 0; number++)
    remove_number(name, number);
}

/* 0 also if there is none of that form. */
static int rename_number(const char *name, unsigned number,
                         const char *ending) {
  path_buf from, to;
  int rc = path_of(from, name, number, ending);
  if (rc == 0) rc = path_of(to, name, number + 1, ending);
  if (rc < 0) return rc;
  return rename(from, to) == -1 && errno != ENOENT ? -errno : 0;
}

static int make_older(const char *name, unsigned number) {
  int rc = 0;
  for (int i = 0; i < ENDINGS && rc == 0; i++)
    rc = rename_number(name, number, endings[i]);
  return rc;
}

static int rename_newest(const char *name) {
  path_buf to;
  int rc = path_of(to, name, 1, "");
  if (rc < 0) return rc;
  return rename(name, to) == -1 ? -errno : 0;
}

int lv_rotate(const char *name, const lv_rotate_rules *rules) {
  if (rules->keep == 0) {
    remove_from(name, 1);
    return unlink(name) == -1 ? -errno : 0;
  }
  unsigned missing = 1;
  while (missing < rules->keep && size_of(name, missing) >= 0)
    missing++;
  remove_from(name, missing == rules->keep ? missing : rules->keep + 1);
  int rc = 0;
  for (unsigned number = missing; number > 1 && rc == 0; number--)
    rc = make_older(name, number - 1);
  if (rc == 0) rc = rename_newest(name);
  if (rc == 0 && rules->total > 0) lv_rotate_prune(name, rules);
  return rc;
}

void lv_rotate_prune(const char *name, const lv_rotate_rules *rules) {
  uint64_t sum = rules->own;
  unsigned number = 1;
  for (; number <= rules->keep; number++) {
    long long size = size_of(name, number);
    if (size < 0) break;
    sum += (uint64_t)size;
    if (rules->total > 0 && sum > rules->total) break;
  }
  remove_from(name, number);
  if (number <= rules->keep) remove_from(name, rules->keep + 1);
}

static bool is_file(const char *path, dev_t dev, ino_t ino) {
  struct stat st;
  return lstat(path, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* The compressed one is there before the other is not. */
static int replace_number(const char *name, unsigned number, const char *plain,
                          const char *file) {
  path_buf gz;
  int rc = path_of(gz, name, number, ".gz");
  if (rc < 0) return rc;
  if (rename(file, gz) == -1) return -errno;
  return unlink(plain) == -1 ? -errno : 0;
}

int lv_rotate_compressed(const char *name, const char *file, dev_t dev,
                         ino_t ino) {
  for (unsigned number = 1; number <= MOST; number++) {
    path_buf plain;
    if (path_of(plain, name, number, "") == 0 && is_file(plain, dev, ino))
      return replace_number(name, number, plain, file);
  }
  return -ENOENT;
}
