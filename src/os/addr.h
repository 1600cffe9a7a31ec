/* os/addr.h — Addresses of stream sockets: Internet and Unix. */
#ifndef LV_OS_ADDR_H
#define LV_OS_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

typedef struct {
  union {
    struct sockaddr sa;
    struct sockaddr_storage storage;
  };
  socklen_t len;
} lv_addr;

enum { LV_ADDR_TEXT = 128 }; /* room for what lv_addr_host writes */

/* Of the file `path`, or of an abstract name behind an "@". 0, -EINVAL for an
 * empty one, or -ENAMETOOLONG: the kernel takes 107 bytes. */
int lv_addr_unix(lv_addr *out, const char *path, size_t n);

/* Of a host given in digits, which asks nobody; host NULL: any of this machine
 * (two addresses, IPv6 and IPv4). How many, 0 if it is a name. */
int lv_addr_numeric(lv_addr out[2], const char *host, int port);

/* The host in digits. 0 or -errno; only of Internet addresses. */
int lv_addr_host(const lv_addr *a, char text[LV_ADDR_TEXT]);
int lv_addr_port(const lv_addr *a); /* -1: has none */
void lv_addr_set_port(lv_addr *a, int port);

/* The path of a Unix address; n is 0 where it has no name. An abstract one
 * begins with a zero byte. */
const char *lv_addr_path(const lv_addr *a, size_t *n);

#endif
