/* os/sock.c — Stream sockets. See sock.h; Unix sockets that listen are in
 * unixsock.c. */
#include "os/sock.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static int set(int fd, int level, int option, int value) {
  int rc = setsockopt(fd, level, option, &value, sizeof value);
  return rc == -1 ? -errno : 0;
}

static void set_nodelay(int fd, int family) {
  if (family != AF_UNIX) set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int lv_sock_open(int family) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd == -1) return -errno;
  set_nodelay(fd, family);
  return fd;
}

/* A connect that a signal came into goes on by itself. */
int lv_sock_connect(int fd, const lv_addr *to) {
  if (connect(fd, &to->sa, to->len) == 0) return 0;
  return errno == EINTR ? -EINPROGRESS : -errno;
}

int lv_sock_error(int fd) {
  int error = 0;
  socklen_t n = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == -1) return -errno;
  return -error;
}

static int accept_retrying(int fd, lv_addr *peer) {
  int got;
  do {
    peer->len = sizeof peer->storage;
    got = accept4(fd, &peer->sa, &peer->len, SOCK_CLOEXEC | SOCK_NONBLOCK);
  } while (got == -1 && errno == EINTR);
  return got == -1 ? -errno : got;
}

/* The second descriptor is had before the first, and then becomes a copy of it:
 * for want of one no connection is lost. */
int lv_sock_accept(int fd, int pair[2], lv_addr *peer) {
  int copy = lv_fd_dup(fd);
  if (copy < 0) return copy;
  int got = accept_retrying(fd, peer);
  if (got < 0) {
    lv_fd_close(&copy);
    return got;
  }
  int rc = lv_fd_copy_to(got, copy);
  if (rc < 0) {
    lv_fd_close(&got);
    lv_fd_close(&copy);
    return rc;
  }
  set_nodelay(got, peer->sa.sa_family);
  pair[0] = got;
  pair[1] = copy;
  return 0;
}

bool lv_sock_is_passing(int code) {
  switch (-code) {
  case ECONNABORTED:
  case EPROTO:
  case ENOPROTOOPT:
  case ENETDOWN:
  case ENETUNREACH:
  case EHOSTDOWN:
  case EHOSTUNREACH:
  case ENONET:
  case EOPNOTSUPP:
  case EPERM: return true;
  default: return false;
  }
}

bool lv_sock_is_shortage(int code) {
  return code == -EMFILE || code == -ENFILE || code == -ENOBUFS ||
         code == -ENOMEM;
}

int lv_sock_name(int fd, lv_addr *out) {
  out->len = sizeof out->storage;
  return getsockname(fd, &out->sa, &out->len) == -1 ? -errno : 0;
}

int lv_sock_creds(int fd, pid_t *pid, uid_t *uid, gid_t *gid) {
  struct ucred cred;
  socklen_t n = sizeof cred;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == -1) return -errno;
  *pid = cred.pid;
  *uid = cred.uid;
  *gid = cred.gid;
  return 0;
}

void lv_sock_end_writing(int fd) {
  shutdown(fd, SHUT_WR);
}

/* "::" is IPv6 alone: where both are meant, both are listened at. */
int lv_sock_listen(const lv_addr *at, int backlog) {
  int fd = lv_sock_open(at->sa.sa_family);
  if (fd < 0) return fd;
  int rc = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (rc == 0 && at->sa.sa_family == AF_INET6)
    rc = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (rc == 0 && bind(fd, &at->sa, at->len) == -1) rc = -errno;
  if (rc == 0 && listen(fd, backlog) == -1) rc = -errno;
  if (rc < 0) lv_fd_close(&fd);
  return rc < 0 ? rc : fd;
}
