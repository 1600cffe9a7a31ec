/* tests/c/test_pty.c — Pseudo-terminals. */
#include "os/pty.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "os/fd.h"
#include "tap.h"

static void both_ends_are_a_terminal_and_blocking_and_cloexec(void) {
  int master, slave;
  is_int(lv_pty_open(&(lv_pty_opts){0}, &master, &slave), 0, "opens");
  ok(isatty(slave), "the slave is a terminal");
  for (int i = 0; i < 2; i++) {
    int fd = i == 0 ? master : slave;
    is_int(fcntl(fd, F_GETFD), FD_CLOEXEC, "is CLOEXEC");
    is_int(fcntl(fd, F_GETFL) & O_NONBLOCK, 0, "blocks");
  }
  lv_fd_close(&master);
  lv_fd_close(&slave);
}

static void what_one_end_writes_the_other_reads(void) {
  int master, slave;
  char buf[32] = "";
  is_int(lv_pty_open(&(lv_pty_opts){0}, &master, &slave), 0, "opens");
  is_int(write(master, "in\n", 3), 3, "typed");
  is_int(read(slave, buf, sizeof buf - 1), 3, "and read");
  is_str(buf, "in\n", "as it was typed");
  is_int(write(slave, "out\n", 4), 4, "printed");
  is_int(read(master, buf, sizeof buf - 1), 5, "and shown");
  is_str(buf, "out\r\n", "as terminals want it, and without an echo");
  lv_fd_close(&master);
  lv_fd_close(&slave);
}

static void echo_is_as_asked(void) {
  for (int echo = 0; echo < 2; echo++) {
    int master, slave;
    struct termios mode;
    is_int(lv_pty_open(&(lv_pty_opts){.echo = echo}, &master, &slave), 0,
           "opens");
    is_int(tcgetattr(slave, &mode), 0, "has modes");
    is_int((mode.c_lflag & ECHO) != 0, echo, "echo is %d", echo);
    lv_fd_close(&master);
    lv_fd_close(&slave);
  }
}

static void has_size(int fd, int rows, int cols) {
  struct winsize size;
  is_int(ioctl(fd, TIOCGWINSZ, &size), 0, "has a size");
  is_int(size.ws_row, rows, "rows");
  is_int(size.ws_col, cols, "columns");
}

static void the_size_is_as_asked_or_24_by_80(void) {
  int master, slave;
  is_int(lv_pty_open(&(lv_pty_opts){0}, &master, &slave), 0, "opens");
  has_size(slave, 24, 80);
  is_int(lv_pty_resize(master, 10, 40), 0, "changes by the master");
  has_size(slave, 10, 40);
  is_int(lv_pty_resize(master, -1, 40), -EINVAL, "no negative size");
  is_int(lv_pty_resize(master, 10, 65536), -EINVAL, "no size beyond a short");
  lv_fd_close(&master);
  lv_fd_close(&slave);
  lv_pty_opts opts = {.rows = 50, .cols = 132};
  is_int(lv_pty_open(&opts, &master, &slave), 0, "opens");
  has_size(slave, 50, 132);
  lv_fd_close(&master);
  lv_fd_close(&slave);
}

static void a_size_out_of_range_leaves_nothing_open(void) {
  int master = 0, slave = 0;
  lv_pty_opts opts = {.rows = 1 << 20};
  is_int(lv_pty_open(&opts, &master, &slave), -EINVAL, "is refused");
  is_int(master, -1, "no master");
  is_int(slave, -1, "no slave");
}

static void resizing_what_is_no_terminal_fails(void) {
  int ends[2];
  is_int(lv_fd_pipe(ends), 0, "a pipe");
  is_int(lv_pty_resize(ends[0], 1, 1), -ENOTTY, "has no size");
  lv_fd_close(&ends[0]);
  lv_fd_close(&ends[1]);
}

int main(void) {
  run(both_ends_are_a_terminal_and_blocking_and_cloexec);
  run(what_one_end_writes_the_other_reads);
  run(echo_is_as_asked);
  run(the_size_is_as_asked_or_24_by_80);
  run(a_size_out_of_range_leaves_nothing_open);
  run(resizing_what_is_no_terminal_fails);
  return tap_done();
}
