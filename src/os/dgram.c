/* os/dgram.c — See dgram.h, unix(7). */
#include "os/dgram.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* An abstract name begins with a zero byte and ends with the address. */
static int read_address(struct sockaddr_un *to, socklen_t *size,
                        const char *address) {
  size_t n = strlen(address);
  if (n == 0 || n >= sizeof to->sun_path) return -EINVAL;
  *to = (struct sockaddr_un){.sun_family = AF_UNIX};
  memcpy(to->sun_path, address, n);
  if (address[0] == '@') to->sun_path[0] = '\0';
  *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n +
                      (address[0] != '@'));
  return 0;
}

int lv_dgram_listen(const char *address) {
  struct sockaddr_un at;
  socklen_t size;
  int rc = read_address(&at, &size, address), on = 1;
  if (rc < 0) return rc;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  bool ok = setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 &&
            bind(fd, (struct sockaddr *)&at, size) == 0;
  if (ok) return fd;
  rc = -errno;
  close(fd);
  return rc;
}

/* The most descriptors that one message can carry: SCM_MAX_FD. */
enum { FDS = 253 };

static void close_all(const struct cmsghdr *c) {
  size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (size_t i = 0; i < n; i++) {
    int fd;
    memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
    close(fd);
  }
}

ssize_t lv_dgram_receive(int fd, const struct iovec *to, lv_sender *from) {
  union {
    char
        bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(FDS * sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec piece = *to;
  struct msghdr message = {.msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) return -errno;
  *from = (lv_sender){.uid = (uid_t)-1};
  from->is_cut = (message.msg_flags & MSG_TRUNC) != 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c;
       c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_RIGHTS) close_all(c);
    if (c->cmsg_type != SCM_CREDENTIALS) continue;
    struct ucred who;
    memcpy(&who, CMSG_DATA(c), sizeof who);
    from->pid = who.pid;
    from->uid = who.uid;
  }
  return n;
}

int lv_dgram_send(const char *address, const char *text, size_t size) {
  struct sockaddr_un at;
  socklen_t at_size;
  int rc = read_address(&at, &at_size, address);
  if (rc < 0) return rc;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  ssize_t n =
      sendto(fd, text, size, MSG_NOSIGNAL, (struct sockaddr *)&at, at_size);
  rc = n < 0 ? -errno : 0;
  close(fd);
  return rc;
}
