/* os/logsock.h — Lines for the journal or syslog, each a datagram. Sending may
 * block for a moment: it is done in a thread. */
#ifndef LV_OS_LOGSOCK_H
#define LV_OS_LOGSOCK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  int fd;      /* -1: not open */
  bool native; /* the journal's own protocol, else that of syslog(3) */
} lv_logsock;

/* The longest line that is one message. */
enum { LV_JOURNAL_LINE = 48 * 1024, LV_SYSLOG_LINE = 8000 };

/* Open the journal's socket, or else syslog's; either may be NULL. 0 or -errno.
 */
int lv_logsock_open(lv_logsock *s, const char *journal, const char *syslog);
void lv_logsock_close(lv_logsock *s);

/* Send a line, which has no newline, of the service of this name. Its priority
 * is that of a "<3>" at its beginning, which is taken away, else 6. 0, -EAGAIN
 * if nobody took it within a tenth of a second, or another -errno. */
int lv_logsock_send(const lv_logsock *s, const char *name, const char *line,
                    size_t n);

#endif
