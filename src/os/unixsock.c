/* os/unixsock.c — Listening at a path.
 *
 * The file of a Unix socket outlives its process, and bind(2) refuses a path
 * that exists. Nobody listens on it if connect(2) is refused; but two processes
 * that find this at the same time would remove each other's new socket, and one
 * that is bound but does not listen yet looks dead. So all of it is done under
 * a lock of the directory. */
#include "os/sock.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *path_of(const lv_addr *a) {
  return ((const struct sockaddr_un *)(const void *)&a->storage)->sun_path;
}

static bool is_abstract(const lv_addr *a) {
  return *path_of(a) == '\0';
}

/* The locked directory; -EAGAIN: somebody has the lock; -1: there can be none,
 * as we may not read it or its file system has no locks. */
static int lock_directory(const char *path) {
  char copy[sizeof((struct sockaddr_un){0}).sun_path + 1];
  strncpy(copy, path, sizeof copy - 1);
  copy[sizeof copy - 1] = '\0';
  int fd = lv_fd_open_at(AT_FDCWD, dirname(copy), O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0) return fd == -EMFILE || fd == -ENFILE ? fd : -1;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  int rc = errno == EWOULDBLOCK ? -EAGAIN : -1;
  close(fd);
  return rc;
}

static bool nobody_listens(const lv_addr *at) {
  struct stat st;
  if (lstat(path_of(at), &st) == -1 || !S_ISSOCK(st.st_mode)) return false;
  int fd = lv_sock_open(AF_UNIX);
  if (fd < 0) return false;
  int rc = lv_sock_connect(fd, at);
  lv_fd_close(&fd);
  return rc == -ECONNREFUSED;
}

static int bind_replacing(int fd, const lv_addr *at) {
  if (bind(fd, &at->sa, at->len) == 0) return 0;
  if (errno != EADDRINUSE || is_abstract(at)) return -errno;
  if (!nobody_listens(at)) return -EADDRINUSE;
  if (unlink(path_of(at)) == -1 && errno != ENOENT) return -errno;
  return bind(fd, &at->sa, at->len) == -1 ? -errno : 0;
}

/* The mode of the socket is what bind(2) makes the file with, less the umask:
 * so it is never more than asked for. Nobody connects before we listen. */
static int bind_path(int fd, const lv_addr *at, int mode, lv_sock_file *file) {
  struct stat st;
  if (mode >= 0 && fchmod(fd, (mode_t)mode) == -1) return -errno;
  int rc = bind_replacing(fd, at);
  if (rc < 0) return rc;
  if (lstat(path_of(at), &st) == -1) return -errno;
  *file = (lv_sock_file){st.st_dev, st.st_ino};
  if (mode >= 0 && chmod(path_of(at), (mode_t)mode) == -1) return -errno;
  return 0;
}

static int bind_and_listen(int fd, const lv_addr *at, int backlog, int mode,
                           lv_sock_file *file) {
  int rc =
      is_abstract(at) ? bind_replacing(fd, at) : bind_path(fd, at, mode, file);
  if (rc == 0 && listen(fd, backlog) == -1) rc = -errno;
  if (rc < 0) lv_sock_unlink(at, file);
  return rc;
}

int lv_sock_listen_unix(const lv_addr *at, int backlog, int mode,
                        lv_sock_file *file) {
  *file = (lv_sock_file){0};
  int lock = is_abstract(at) ? -1 : lock_directory(path_of(at));
  if (lock < -1) return lock;
  int fd = lv_sock_open(AF_UNIX);
  int rc = fd < 0 ? fd : bind_and_listen(fd, at, backlog, mode, file);
  lv_fd_close(&lock);
  if (rc < 0) lv_fd_close(&fd);
  return rc < 0 ? rc : fd;
}

void lv_sock_unlink(const lv_addr *at, const lv_sock_file *file) {
  struct stat st;
  if (file->ino == 0 || lstat(path_of(at), &st) == -1) return;
  if (st.st_dev == file->dev && st.st_ino == file->ino) unlink(path_of(at));
}
