/* os/tree.c — Removing a tree.
 *
 * Names are looked up below descriptors, and no symbolic link is followed: who
 * exchanges a directory for a link to another meanwhile makes us remove the
 * link. What is too deep to hold a descriptor for each of its directories is
 * moved to the top first, and its turn comes there. */
#include "os/tree.h"

#include "os/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEEPEST = 64, TRIES = 16 };

typedef struct {
  const lv_flag *stop;
  lv_fault *fault;
  lv_buf path;     /* of where we are, for messages */
  int top;         /* the directory that is to go, once inside */
  unsigned moved;  /* directories that were moved there */
  bool look_again; /* some since it was looked through */
} job;

/* Only the first counts: what fails on the way out fails because of it. */
static int fail(job *j, const char *name, int rc) {
  j->fault->op = "remove";
  if (j->fault->subject || rc == -ECANCELED) return rc;
  size_t n = lv_buf_size(&j->path);
  const char *bytes = n > 0 ? lv_buf_bytes(&j->path) : "";
  if (asprintf(&j->fault->subject, "%.*s%s", (int)n, bytes, name) < 0)
    j->fault->subject = NULL;
  return rc;
}

static bool is_dots(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int remove_at(job *j, int dir, const char *name, int depth);

/* The file system may give a directory's entries in any order, and some twice
 * or not at all while they go: the caller looks again. */
static int remove_entries(job *j, DIR *dir, int depth) {
  for (;;) {
    if (atomic_load(j->stop)) return -ECANCELED;
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (entry == NULL) return -errno;
    if (is_dots(entry->d_name)) continue;
    int rc = remove_at(j, dirfd(dir), entry->d_name, depth + 1);
    if (rc < 0) return rc;
  }
}

static DIR *open_directory(int parent, const char *name) {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  int fd = lv_fd_open_at(parent, name, flags, 0);
  if (fd < 0) {
    errno = -fd;
    return NULL;
  }
  DIR *dir = fdopendir(fd);
  int error = errno;
  if (dir == NULL) lv_fd_close(&fd);
  errno = error;
  return dir;
}

/* Should the new name exist as an empty directory, that is gone then: it was to
 * go anyway. */
static int move_to_top(job *j, int parent, const char *name) {
  char new[64];
  for (int i = 0; i < TRIES; i++) {
    snprintf(new, sizeof new, ".luvisor-remove-%u", j->moved++);
    if (renameat(parent, name, j->top, new) == 0) {
      j->look_again = true;
      return 0;
    }
    if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) break;
  }
  return -errno;
}

/* Empty the directory and remove it; if somebody has put something in between,
 * again. */
static int empty_and_remove(job *j, DIR *dir, int parent, const char *name,
                            int depth) {
  for (int i = 0;;) {
    if (depth == 0) j->look_again = false;
    int rc = remove_entries(j, dir, depth);
    if (rc < 0) return rc;
    rewinddir(dir);
    if (depth == 0 && j->look_again) continue;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0) return 0;
    if (errno != ENOTEMPTY || ++i == TRIES) return -errno;
  }
}

static int remove_directory(job *j, int parent, const char *name, int depth) {
  if (depth == DEEPEST) return move_to_top(j, parent, name);
  DIR *dir = open_directory(parent, name);
  if (dir == NULL) return -errno;
  if (depth == 0) j->top = dirfd(dir);
  size_t before = lv_buf_size(&j->path);
  int rc = lv_buf_append(&j->path, name, strlen(name));
  if (rc == 0) rc = lv_buf_append(&j->path, "/", 1);
  if (rc == 0) rc = empty_and_remove(j, dir, parent, name, depth);
  closedir(dir);
  j->path.tail = j->path.head + before;
  return rc;
}

/* What is no directory goes by unlink; Linux says EISDIR of one, POSIX EPERM,
 * which has other reasons, too. What has gone already is gone, but for the
 * first. */
static int remove_at(job *j, int parent, const char *name, int depth) {
  if (unlinkat(parent, name, 0) == 0) return 0;
  int rc = -errno;
  if (rc == -EISDIR || rc == -EPERM) {
    int as_directory = remove_directory(j, parent, name, depth);
    if (as_directory != -ENOTDIR) rc = as_directory;
  }
  if (rc == -ENOENT && depth > 0) return 0;
  return rc < 0 ? fail(j, name, rc) : 0;
}

static int remove_one(job *j, int dir, const char *name) {
  if (unlinkat(dir, name, 0) == 0) return 0;
  int rc = -errno;
  if ((rc == -EISDIR || rc == -EPERM) && unlinkat(dir, name, AT_REMOVEDIR) == 0)
    return 0;
  return fail(j, name, rc == -EISDIR ? -errno : rc);
}

static bool is_root(int dir, const char *name) {
  struct stat root, st;
  return stat("/", &root) == 0 &&
         fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
         root.st_dev == st.st_dev && root.st_ino == st.st_ino;
}

static int remove_below(job *j, const char *path, bool whole) {
  char *dir, *base;
  int rc = lv_path_split(path, &dir, &base);
  if (rc == -EINVAL) return fail(j, path, -EBUSY);
  if (rc < 0) return fail(j, path, rc);
  int fd = lv_fd_open_at(AT_FDCWD, dir, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    rc = fail(j, path, fd);
  else if (is_root(fd, base))
    rc = fail(j, path, -EBUSY);
  else if (is_dots(base))
    rc = fail(j, path, -EINVAL);
  else {
    if (strcmp(dir, ".") != 0) rc = lv_buf_append(&j->path, dir, strlen(dir));
    if (rc == 0)
      rc = whole ? remove_at(j, fd, base, 0) : remove_one(j, fd, base);
  }
  lv_fd_close(&fd);
  free(dir);
  free(base);
  return rc;
}

int lv_tree_remove(const char *path, bool whole, const lv_flag *stop,
                   lv_fault *fault) {
  job j = {.stop = stop, .fault = fault, .top = -1};
  fault->op = "remove";
  int rc = remove_below(&j, path, whole);
  lv_buf_fini(&j.path);
  return rc;
}
