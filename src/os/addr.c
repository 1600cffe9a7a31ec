/* os/addr.c — See addr.h. */
#include "os/addr.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

enum { PATH_AT = offsetof(struct sockaddr_un, sun_path) };

static struct sockaddr_un *un_of(const lv_addr *a) {
  return (struct sockaddr_un *)(void *)&a->storage;
}

static struct sockaddr_in *in_of(const lv_addr *a) {
  return (struct sockaddr_in *)(void *)&a->storage;
}

static struct sockaddr_in6 *in6_of(const lv_addr *a) {
  return (struct sockaddr_in6 *)(void *)&a->storage;
}

/* An abstract name is as long as its address says, and has no end. */
int lv_addr_unix(lv_addr *out, const char *path, size_t n) {
  struct sockaddr_un *un = un_of(out);
  bool is_abstract = n > 0 && *path == '@';
  if (n == 0 || (is_abstract && n == 1)) return -EINVAL;
  if (n > sizeof un->sun_path - (is_abstract ? 0 : 1)) return -ENAMETOOLONG;
  *out = (lv_addr){.len = (socklen_t)(PATH_AT + n + (is_abstract ? 0 : 1))};
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, path, n);
  if (is_abstract) un->sun_path[0] = '\0';
  return 0;
}

static int any(lv_addr out[2], int port) {
  out[0] = (lv_addr){.len = sizeof(struct sockaddr_in6)};
  out[1] = (lv_addr){.len = sizeof(struct sockaddr_in)};
  in6_of(&out[0])->sin6_family = AF_INET6;
  in_of(&out[1])->sin_family = AF_INET;
  lv_addr_set_port(&out[0], port);
  lv_addr_set_port(&out[1], port);
  return 2;
}

int lv_addr_numeric(lv_addr out[2], const char *host, int port) {
  if (host == NULL) return any(out, port);
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                 .ai_flags = AI_NUMERICHOST};
  struct addrinfo *found;
  if (getaddrinfo(host, NULL, &hints, &found) != 0) return 0;
  out[0] = (lv_addr){.len = found->ai_addrlen};
  memcpy(&out[0].storage, found->ai_addr, found->ai_addrlen);
  lv_addr_set_port(&out[0], port);
  freeaddrinfo(found);
  return 1;
}

int lv_addr_host(const lv_addr *a, char text[LV_ADDR_TEXT]) {
  int rc =
      getnameinfo(&a->sa, a->len, text, LV_ADDR_TEXT, NULL, 0, NI_NUMERICHOST);
  return rc == 0 ? 0 : -EAFNOSUPPORT;
}

int lv_addr_port(const lv_addr *a) {
  if (a->sa.sa_family == AF_INET) return ntohs(in_of(a)->sin_port);
  if (a->sa.sa_family == AF_INET6) return ntohs(in6_of(a)->sin6_port);
  return -1;
}

void lv_addr_set_port(lv_addr *a, int port) {
  if (a->sa.sa_family == AF_INET) in_of(a)->sin_port = htons((uint16_t)port);
  if (a->sa.sa_family == AF_INET6) in6_of(a)->sin6_port = htons((uint16_t)port);
}

const char *lv_addr_path(const lv_addr *a, size_t *n) {
  const char *path = un_of(a)->sun_path;
  *n = a->len > PATH_AT ? a->len - PATH_AT : 0;
  if (*n > 0 && *path != '\0') *n = strnlen(path, *n);
  return path;
}
