/* os/dir.c — Making and listing directories. See tree.h. */
#include "os/tree.h"

#include "os/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- making ---- */

static bool is_directory(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int make(const char *path, mode_t mode) {
  return mkdir(path, mode) == -1 ? -errno : 0;
}

/* The bytes of path up to n are changed and restored. */
static int make_parents(char *path) {
  size_t n = strlen(path);
  while (n > 0 && path[n - 1] == '/')
    n--;
  while (n > 0 && path[n - 1] != '/')
    n--;
  if (n == 0) return -ENOENT;
  char kept = path[n - 1];
  path[n - 1] = '\0';
  int rc = make(path, 0777);
  if (rc == -ENOENT) {
    rc = make_parents(path);
    if (rc == 0) rc = make(path, 0777);
  }
  if (rc == -EEXIST)
    rc = 0; /* should it be no directory, the next mkdir tells */
  path[n - 1] = kept;
  return rc;
}

static int make_with_parents(const char *path, mode_t mode) {
  int rc = make(path, mode);
  if (rc != -ENOENT) return rc;
  char *copy = strdup(path);
  if (copy == NULL) return -ENOMEM;
  rc = make_parents(copy);
  free(copy);
  return rc < 0 ? rc : make(path, mode);
}

int lv_dir_make(const char *path, int mode, bool parents, lv_fault *fault) {
  mode_t first = mode >= 0 ? (mode_t)mode : 0777;
  fault->op = "mkdir";
  int rc = parents ? make_with_parents(path, first) : make(path, first);
  if (rc == -EEXIST && parents && is_directory(path)) return 0;
  if (rc == 0 && mode >= 0 && chmod(path, (mode_t)mode) == -1) rc = -errno;
  return rc;
}

/* ---- listing ---- */

char lv_type_letter(mode_t mode) {
  switch (mode & S_IFMT) {
  case S_IFREG: return 'f';
  case S_IFDIR: return 'd';
  case S_IFLNK: return 'l';
  case S_IFIFO: return 'p';
  case S_IFSOCK: return 's';
  case S_IFCHR: return 'c';
  case S_IFBLK: return 'b';
  default: return '?';
  }
}

/* Some file systems do not tell with the name. One that has gone meanwhile is
 * of no type. */
static char type_of(int dir, const struct dirent *entry) {
  struct stat st;
  if (entry->d_type != DT_UNKNOWN)
    return lv_type_letter((mode_t)DTTOIF(entry->d_type));
  if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1) return '?';
  return lv_type_letter(st.st_mode);
}

static bool is_dots(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int read_entries(DIR *dir, lv_buf *out, size_t *n, const lv_flag *stop) {
  while (!atomic_load(stop)) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (entry == NULL) return -errno;
    if (is_dots(entry->d_name)) continue;
    const char type = type_of(dirfd(dir), entry);
    int rc = lv_buf_append(out, &type, 1);
    if (rc == 0)
      rc = lv_buf_append(out, entry->d_name, strlen(entry->d_name) + 1);
    if (rc < 0) return rc;
    ++*n;
  }
  return -ECANCELED;
}

static int compare(const void *a, const void *b) {
  const char *const *first = a, *const *second = b;
  return strcmp(*first + 1, *second + 1);
}

static int sort_entries(lv_buf *b, size_t n) {
  if (n == 0) return 0;
  const char **entries = malloc(n * sizeof *entries);
  if (entries == NULL) return -ENOMEM;
  const char *at = lv_buf_bytes(b);
  for (size_t i = 0; i < n; i++, at += strlen(at) + 1)
    entries[i] = at;
  qsort(entries, n, sizeof *entries, compare);
  lv_buf sorted = {0};
  int rc = lv_buf_reserve(&sorted, lv_buf_size(b));
  for (size_t i = 0; i < n && rc == 0; i++)
    rc = lv_buf_append(&sorted, entries[i], strlen(entries[i]) + 1);
  free(entries);
  lv_buf_fini(b);
  *b = sorted;
  return rc;
}

int lv_dir_list(const char *path, lv_buf *out, const lv_flag *stop,
                lv_fault *fault) {
  fault->op = "scandir";
  int fd = lv_fd_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0) return fd;
  DIR *dir = fdopendir(fd);
  if (dir == NULL) {
    int rc = -errno;
    lv_fd_close(&fd);
    return rc;
  }
  size_t n = 0;
  int rc = read_entries(dir, out, &n, stop);
  closedir(dir);
  return rc < 0 ? rc : sort_entries(out, n);
}
