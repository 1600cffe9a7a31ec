/* os/pty.c — A new pseudo-terminal pair.
 *
 * The slave is opened through its master (TIOCGPTPEER, Linux 4.13), which is
 * right also where /dev/pts is another mount namespace's; by its name where
 * the kernel cannot. It never becomes our own controlling terminal. */
#include "os/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "os/fd.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

static int open_slave(int master) {
  int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0) return fd;
  char name[64];
  int error = ptsname_r(master, name, sizeof name);
  if (error != 0) return -error;
  return lv_fd_open_at(AT_FDCWD, name, O_RDWR | O_NOCTTY, 0);
}

static int set_echo(int fd, bool on) {
  struct termios mode;
  if (tcgetattr(fd, &mode) == -1) return -errno;
  if (on)
    mode.c_lflag |= ECHO;
  else
    mode.c_lflag &= ~(tcflag_t)ECHO;
  return tcsetattr(fd, TCSANOW, &mode) == -1 ? -errno : 0;
}

static int set_up(int slave, const lv_pty_opts *opts) {
  int rc = set_echo(slave, opts->echo);
  if (rc < 0) return rc;
  return lv_pty_resize(slave, opts->rows == 0 ? 24 : opts->rows,
                       opts->cols == 0 ? 80 : opts->cols);
}

int lv_pty_open(const lv_pty_opts *opts, int *master, int *slave) {
  int rc = 0;
  *slave = -1;
  *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*master == -1) return -errno;
  if (grantpt(*master) == -1 || unlockpt(*master) == -1) {
    rc = -errno;
    goto fail;
  }
  *slave = rc = open_slave(*master);
  if (rc < 0) goto fail;
  rc = set_up(*slave, opts);
  if (rc < 0) goto fail;
  return 0;
fail:
  lv_fd_close(slave);
  lv_fd_close(master);
  return rc;
}

int lv_pty_resize(int fd, int rows, int cols) {
  if (rows < 0 || rows > USHRT_MAX || cols < 0 || cols > USHRT_MAX)
    return -EINVAL;
  const struct winsize size = {
      .ws_row = (unsigned short)rows,
      .ws_col = (unsigned short)cols,
  };
  return ioctl(fd, TIOCSWINSZ, &size) == -1 ? -errno : 0;
}
