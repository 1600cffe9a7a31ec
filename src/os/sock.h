/* os/sock.h — Stream sockets: CLOEXEC and non-blocking from birth. */
#ifndef LV_OS_SOCK_H
#define LV_OS_SOCK_H

#include "os/addr.h"

#include <stdbool.h>
#include <sys/types.h>

/* A new socket for that kind of address; small writes on it are not held back
 * (TCP_NODELAY). A descriptor or -errno. */
int lv_sock_open(int family);

/* 0; -EINPROGRESS: once it can be written, lv_sock_error tells; -EAGAIN: the
 * backlog of a Unix socket is full, and nothing will tell when it is not; or
 * another -errno. */
int lv_sock_connect(int fd, const lv_addr *to);
int lv_sock_error(int fd); /* the pending error, taken: 0 or -errno */

/* Accept a connection in two descriptors of it. Neither is there if there is
 * no room for both: the connection waits on. 0 or -errno. */
int lv_sock_accept(int fd, int pair[2], lv_addr *peer);

/* Is the error one of this connection alone, or of the network: the next may do
 * better (accept(2))? */
bool lv_sock_is_passing(int code);
/* … or a want of descriptors or memory, so that it is better to wait? */
bool lv_sock_is_shortage(int code);

int lv_sock_name(int fd, lv_addr *out); /* our own end; 0 or -errno */
int lv_sock_creds(int fd, pid_t *pid, uid_t *uid, gid_t *gid); /* the peer's */
void lv_sock_end_writing(int fd); /* the peer reads its end of file */

/* Listen at an Internet address. A descriptor or -errno. */
int lv_sock_listen(const lv_addr *at, int backlog);

/* The file of a Unix socket that we made; all zero: none. */
typedef struct {
  dev_t dev;
  ino_t ino;
} lv_sock_file;

/* Listen at a Unix address. A file that a socket left behind on which nobody
 * listens is replaced. mode: of the file, or -1: as umask has it. A descriptor
 * or -errno: -EADDRINUSE also for a file of another kind, -EAGAIN while another
 * process does the same in that directory. */
int lv_sock_listen_unix(const lv_addr *at, int backlog, int mode,
                        lv_sock_file *file);

/* Remove the file, if it is still the same. */
void lv_sock_unlink(const lv_addr *at, const lv_sock_file *file);

#endif
