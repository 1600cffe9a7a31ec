/* os/logsock.c — See logsock.h. The journal's protocol is that of
 * systemd.io/JOURNAL_NATIVE_PROTOCOL, the other that of RFC 3164. */
#include "os/logsock.h"

#include "os/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FACILITY = 3 /* daemons */, INFO = 6, BUFFER = 1 << 20 };
static const struct timeval PATIENCE = {.tv_usec = 100000};

static int connect_to(const char *path) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  size_t n = strlen(path);
  if (n >= sizeof to.sun_path) return -ENAMETOOLONG;
  memcpy(to.sun_path, path, n + 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd == -1) return -errno;
  const int size = BUFFER;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &PATIENCE, sizeof PATIENCE);
  if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0) return fd;
  int rc = -errno;
  lv_fd_close(&fd);
  return rc;
}

int lv_logsock_open(lv_logsock *s, const char *journal, const char *syslog) {
  int rc = -ENOENT;
  s->native = journal != NULL;
  if (journal) rc = connect_to(journal);
  if (rc < 0 && syslog) {
    s->native = false;
    rc = connect_to(syslog);
  }
  s->fd = rc < 0 ? -1 : rc;
  return rc < 0 ? rc : 0;
}

void lv_logsock_close(lv_logsock *s) {
  lv_fd_close(&s->fd);
}

static int take_priority(const char **line, size_t *n) {
  const char *l = *line;
  if (*n < 3 || l[0] != '<' || l[1] < '0' || l[1] > '7' || l[2] != '>')
    return INFO;
  *line += 3;
  *n -= 3;
  return l[1] - '0';
}

static size_t head_of_journal(char *head, size_t size, int priority,
                              const char *name) {
  int n = snprintf(head, size,
                   "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%.100s\n"
                   "UNIT=%.100s\nMESSAGE=",
                   priority, FACILITY, name, name);
  return (size_t)n < size ? (size_t)n : size - 1;
}

static size_t head_of_syslog(char *head, size_t size, int priority,
                             const char *name) {
  struct tm tm;
  char when[32];
  const time_t now = time(NULL);
  strftime(when, sizeof when, "%b %e %H:%M:%S", localtime_r(&now, &tm));
  int n = snprintf(head, size, "<%d>%s %.100s: ", FACILITY * 8 + priority, when,
                   name);
  return (size_t)n < size ? (size_t)n : size - 1;
}

static int send_parts(int fd, struct iovec *parts, size_t n) {
  const struct msghdr message = {.msg_iov = parts, .msg_iovlen = n};
  ssize_t put;
  do
    put = sendmsg(fd, &message, MSG_NOSIGNAL);
  while (put == -1 && errno == EINTR);
  return put == -1 ? -errno : 0;
}

int lv_logsock_send(const lv_logsock *s, const char *name, const char *line,
                    size_t n) {
  char head[512];
  int priority = take_priority(&line, &n);
  size_t nhead = s->native ? head_of_journal(head, sizeof head, priority, name)
                           : head_of_syslog(head, sizeof head, priority, name);
  struct iovec parts[] = {{head, nhead}, {(char *)line, n}, {(char *)"\n", 1}};
  return send_parts(s->fd, parts, s->native ? 3 : 2);
}
