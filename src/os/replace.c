/* os/replace.c — A file in the place of another, all at once.
 *
 * The new one is written under a name of its own in the same folder, brought
 * to the disk, renamed over the old one, and then the folder is brought to the
 * disk. All names are below a descriptor of the folder: should that be moved
 * meanwhile, the file is where it was meant to be. */
#include "os/file.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LINKS = 40, TRIES = 100, SHOWN = 200 };

typedef struct {
  int dir, file; /* descriptors, or -1 */
  char *base;
  char temporary[NAME_MAX + 1];
  bool made; /* the temporary file is there */
  bool old;  /* there is one to be replaced: */
  struct stat st;
  int mode; /* that the new one gets; -1: what umask leaves of 0666 */
} job;

static int fail(lv_fault *fault, const char *op, int rc) {
  fault->op = op;
  return rc;
}

/* What the link names, as seen from here, in the place of its path. */
static int follow(char **path) {
  char target[PATH_MAX];
  ssize_t n = readlink(*path, target, sizeof target - 1);
  if (n == -1) return -errno;
  target[n] = '\0';
  char *dir, *base, *whole = NULL;
  int rc = lv_path_split(*path, &dir, &base);
  if (rc < 0) return rc;
  if (*target == '/')
    whole = strdup(target);
  else if (asprintf(&whole, "%s/%s", dir, target) < 0)
    whole = NULL;
  free(dir);
  free(base);
  if (whole == NULL) return -ENOMEM;
  free(*path);
  *path = whole;
  return 0;
}

/* *path becomes that of no link; j->st is of what is there. */
static int find(job *j, char **path) {
  for (int i = 0; i < MOST_LINKS; i++) {
    if (lstat(*path, &j->st) == -1) return errno == ENOENT ? 0 : -errno;
    j->old = !S_ISLNK(j->st.st_mode);
    if (j->old && S_ISDIR(j->st.st_mode)) return -EISDIR;
    if (j->old) return S_ISREG(j->st.st_mode) ? 0 : -EINVAL;
    int rc = follow(path);
    if (rc < 0) return rc;
  }
  return -ELOOP;
}

/* One that we may not read cannot be brought to the disk; its files can. */
static int open_folder(job *j, const char *path) {
  char *dir;
  int rc = lv_path_split(path, &dir, &j->base);
  if (rc < 0) return rc;
  const int flags = O_DIRECTORY;
  rc = lv_fd_open_at(AT_FDCWD, dir, O_RDONLY | flags, 0);
  if (rc == -EACCES) rc = lv_fd_open_at(AT_FDCWD, dir, O_PATH | flags, 0);
  free(dir);
  if (rc < 0) return rc;
  j->dir = rc;
  return 0;
}

static int make_temporary(job *j, mode_t mode) {
  const int flags = O_WRONLY | O_CREAT | O_EXCL;
  for (int i = 0; i < TRIES; i++) {
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) == -1)
      random = (uint64_t)getpid() * TRIES + (uint64_t)i;
    snprintf(j->temporary, sizeof j->temporary, ".%.*s.%016llx", SHOWN, j->base,
             (unsigned long long)random);
    int fd = lv_fd_open_at(j->dir, j->temporary, flags, mode);
    if (fd == -EEXIST) continue;
    if (fd < 0) return fd;
    j->file = fd;
    j->made = true;
    return 0;
  }
  return -EEXIST;
}

/* The new one is of the old one's owner. -1: we may not do that. */
static int give_away(job *j) {
  bool ours = j->st.st_uid == geteuid() && j->st.st_gid == getegid();
  return ours ? 0 : fchown(j->file, j->st.st_uid, j->st.st_gid);
}

/* As it will be, from the first moment: never open to more people. What ran as
 * its owner does not run as another. */
static int make_like(job *j, int mode) {
  j->mode = mode < 0 && j->old ? (int)(j->st.st_mode & 07777) : mode;
  int rc = make_temporary(j, j->mode >= 0 ? 0600 : 0666);
  if (rc < 0 || j->mode < 0) return rc;
  if (j->old && give_away(j) == -1 && mode < 0) j->mode &= ~LV_FILE_SET_IDS;
  mode_t now = (mode_t)j->mode & ~(mode_t)LV_FILE_SET_IDS;
  return fchmod(j->file, now) == -1 ? -errno : 0;
}

/* To the disk, whatever signal comes; 0 or -errno. */
static int sync_file(int fd) {
  int rc;
  do
    rc = fsync(fd);
  while (rc == -1 && errno == EINTR);
  return rc == -1 ? -errno : 0;
}

static int write_temporary(job *j, const lv_contents *c, const lv_flag *stop,
                           lv_fault *fault) {
  int rc = lv_file_put(j->file, c->bytes, c->n, stop);
  if (rc < 0) return fail(fault, "write", rc);
  rc = lv_file_set_ids(j->file, j->mode);
  if (rc < 0) return fail(fault, "chmod", rc);
  rc = sync_file(j->file);
  if (rc < 0) return fail(fault, "fsync", rc);
  rc = lv_file_close(&j->file);
  if (rc < 0) return fail(fault, "write", rc);
  return atomic_load(stop) ? -ECANCELED : 0;
}

/* From the rename on it is done, whatever becomes of the folder's sync; and a
 * file system that cannot do that says EINVAL, an O_PATH descriptor EBADF. */
static int put_in_place(job *j, lv_fault *fault) {
  if (renameat(j->dir, j->temporary, j->dir, j->base) == -1)
    return fail(fault, "rename", -errno);
  j->made = false;
  int rc = sync_file(j->dir);
  if (rc == 0 || rc == -EINVAL || rc == -EBADF) return 0;
  return fail(fault, "fsync", rc);
}

static int replace(job *j, char **path, const lv_contents *c,
                   const lv_flag *stop, lv_fault *fault) {
  int rc = find(j, path);
  if (rc < 0) return fail(fault, "replace", rc);
  rc = open_folder(j, *path);
  if (rc == 0) rc = make_like(j, c->mode);
  if (rc < 0) return fail(fault, "open", rc);
  rc = write_temporary(j, c, stop, fault);
  return rc < 0 ? rc : put_in_place(j, fault);
}

int lv_file_replace(const char *path, const lv_contents *c, const lv_flag *stop,
                    lv_fault *fault) {
  job j = {.dir = -1, .file = -1};
  char *copy = strdup(path);
  int rc = copy ? replace(&j, &copy, c, stop, fault) : -ENOMEM;
  lv_fd_close(&j.file);
  if (j.made) unlinkat(j.dir, j.temporary, 0);
  lv_fd_close(&j.dir);
  free(j.base);
  free(copy);
  return rc;
}
