/* os/peer.h — Who is at the other end of a Unix socket, and taking such
 * connections one by one. (Pairs of descriptors for streams are os/sock.h's.)
 */
#ifndef LV_OS_PEER_H
#define LV_OS_PEER_H

#include "os/addr.h"

#include <stddef.h>
#include <sys/types.h>

/* Accept a connection: CLOEXEC and non-blocking. A descriptor or -errno. */
int lv_peer_accept(int fd, lv_addr *peer);

/* The supplementary groups that the peer had when it connected, in memory that
 * free() takes; none where the kernel cannot tell. 0 or -errno. */
int lv_peer_groups(int fd, gid_t **groups, size_t *n);

/* Has the peer closed its socket, and not only stopped sending? */
bool lv_peer_has_left(int fd);

#endif
