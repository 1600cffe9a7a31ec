/* os/peer.c — See peer.h. */
#include "os/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

int lv_peer_accept(int fd, lv_addr *peer) {
  int got;
  do {
    peer->len = sizeof peer->storage;
    got = accept4(fd, &peer->sa, &peer->len, SOCK_CLOEXEC | SOCK_NONBLOCK);
  } while (got == -1 && errno == EINTR);
  return got == -1 ? -errno : got;
}

/* The kernel says in `len` how much room is needed if it is too little. */
int lv_peer_groups(int fd, gid_t **groups, size_t *n) {
  *groups = NULL;
  *n = 0;
#ifdef SO_PEERGROUPS
  socklen_t len = 0;
  int rc = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len);
  if (rc == 0 || errno == ENOPROTOOPT) return 0;
  if (errno != ERANGE) return -errno;
  gid_t *list = malloc(len);
  if (list == NULL) return -ENOMEM;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, list, &len) == -1) {
    free(list);
    return -errno;
  }
  *groups = list;
  *n = len / sizeof *list;
#endif
  return 0;
}

bool lv_peer_has_left(int fd) {
  struct pollfd p = {.fd = fd};
  return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}
