/* os/term.c — See term.h.
 *
 * What must be put back is kept here, and not by who asked for it, for a
 * program that ends in a signal's handler has to put it back as well. */
#include "os/term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct {
  volatile sig_atomic_t fd; /* of our own; -1: none is raw */
  struct termios before;
} raw = {.fd = -1};

int lv_term_echoes(int fd) {
  struct termios mode;
  if (tcgetattr(fd, &mode) == -1) return -errno;
  return (mode.c_lflag & ECHO) != 0;
}

int lv_term_eof_char(int fd) {
  struct termios mode;
  if (tcgetattr(fd, &mode) == -1) return -errno;
  return mode.c_cc[VEOF];
}

int lv_term_get_size(int fd, int *rows, int *cols) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) == -1) return -errno;
  *rows = size.ws_row;
  *cols = size.ws_col;
  return 0;
}

/* Without waiting for what is written: it may never be taken. */
static int set_raw(int fd) {
  struct termios mode = raw.before;
  cfmakeraw(&mode);
  return tcsetattr(fd, TCSANOW, &mode) == -1 ? -errno : 0;
}

int lv_term_make_raw(int fd) {
  if (raw.fd >= 0) return -EBUSY;
  if (tcgetattr(fd, &raw.before) == -1) return -errno;
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own == -1) return -errno;
  raw.fd = own;
  int rc = set_raw(own);
  if (rc < 0) lv_term_restore();
  return rc;
}

int lv_term_make_raw_again(void) {
  return raw.fd < 0 ? 0 : set_raw(raw.fd);
}

/* In the background we would be stopped for it (tcsetattr(3)). */
void lv_term_restore(void) {
  if (raw.fd < 0) return;
  int fd = raw.fd;
  sigset_t ttou, old;
  sigemptyset(&ttou);
  sigaddset(&ttou, SIGTTOU);
  sigprocmask(SIG_BLOCK, &ttou, &old);
  tcsetattr(fd, TCSANOW, &raw.before);
  sigprocmask(SIG_SETMASK, &old, NULL);
  raw.fd = -1;
  close(fd);
}
