/* tests/c/test_fd.c — Descriptors. */
#include "os/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "os/pty.h"
#include "tap.h"

static char dir[PATH_MAX]; /* our own, for files and fifos */

static const char *in_dir(const char *name) {
  static char path[PATH_MAX + 64];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return path;
}

static void close_both(int ends[2]) {
  lv_fd_close(&ends[0]);
  lv_fd_close(&ends[1]);
}

static bool is_nonblocking(int fd) {
  return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

static void a_pipe_is_cloexec_and_blocks(void) {
  int ends[2];
  char c = 0;
  is_int(lv_fd_pipe(ends), 0, "opens");
  for (int i = 0; i < 2; i++) {
    is_int(fcntl(ends[i], F_GETFD), FD_CLOEXEC, "end %d is CLOEXEC", i);
    ok(!is_nonblocking(ends[i]), "end %d blocks", i);
  }
  is_int(write(ends[1], "x", 1), 1, "1 writes");
  is_int(lv_fd_read(ends[0], &c, 1), 1, "0 reads");
  is_int(c, 'x', "the same");
  close_both(ends);
}

static void a_copy_is_cloexec_and_above_the_standard_ones(void) {
  int saved = lv_fd_dup(STDIN_FILENO); /* free a low number */
  if (saved < 0) {
    tap_skip("needs a standard input");
    return;
  }
  close(STDIN_FILENO);
  int copy = lv_fd_dup(STDOUT_FILENO);
  ok(copy > 2, "above 2 though 0 was free");
  is_int(fcntl(copy, F_GETFD), FD_CLOEXEC, "CLOEXEC");
  dup2(saved, STDIN_FILENO);
  lv_fd_close(&copy);
  lv_fd_close(&saved);
  is_int(lv_fd_dup(-1), -EBADF, "no copy of nothing");
}

static void closing_sets_minus_one_and_may_be_repeated(void) {
  int ends[2];
  is_int(lv_fd_pipe(ends), 0, "opens");
  int was = ends[0];
  ok(lv_fd_is_open(was), "is open");
  close_both(ends);
  close_both(ends);
  is_int(ends[0], -1, "is -1");
  ok(!lv_fd_is_open(was), "is closed");
  ok(!lv_fd_is_open(-1), "-1 is not open");
}

static void opening_a_fifo_never_waits(void) {
  const char *path = in_dir("fifo");
  is_int(mkfifo(path, 0600), 0, "a fifo");
  is_int(lv_fd_open(path, O_WRONLY, 0), -ENXIO, "has no reader");
  int reader = lv_fd_open(path, O_RDONLY, 0);
  ok(reader >= 0, "a reader needs no writer");
  int writer = lv_fd_open(path, O_WRONLY, 0);
  ok(writer >= 0, "and then a writer comes");
  ok(!is_nonblocking(reader) && !is_nonblocking(writer), "both block");
  is_int(fcntl(reader, F_GETFD), FD_CLOEXEC, "CLOEXEC");
  lv_fd_close(&reader);
  lv_fd_close(&writer);
  unlink(path);
}

static void opening_makes_files_as_asked(void) {
  const char *path = in_dir("file");
  struct stat st;
  mode_t mask = umask(022);
  is_int(lv_fd_open(path, O_RDONLY, 0), -ENOENT, "there is none");
  int fd = lv_fd_open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
  ok(fd >= 0, "it is made");
  is_int(fstat(fd, &st), 0, "it is there");
  is_int(st.st_mode & 0777, 0644, "with its mode");
  ok((fcntl(fd, F_GETFL) & O_APPEND) != 0, "it appends");
  lv_fd_close(&fd);
  fd = lv_fd_open(path, O_RDONLY | O_NONBLOCK, 0);
  ok(is_nonblocking(fd), "O_NONBLOCK is kept where it was asked for");
  lv_fd_close(&fd);
  fd = lv_fd_open(path, O_PATH, 0);
  ok(fd >= 0, "O_PATH works");
  lv_fd_close(&fd);
  umask(mask);
  unlink(path);
}

static void reopening_a_pipe_leaves_the_old_description_alone(void) {
  int ends[2];
  char c;
  is_int(lv_fd_pipe(ends), 0, "opens");
  int again = lv_fd_reopen(ends[0], O_RDONLY);
  ok(again >= 0, "opens again");
  ok(is_nonblocking(again), "does not block");
  ok(!is_nonblocking(ends[0]), "the old one does");
  is_int(fcntl(again, F_GETFD), FD_CLOEXEC, "CLOEXEC");
  is_int(lv_fd_read(again, &c, 1), -EAGAIN, "nothing to read yet");
  is_int(write(ends[1], "x", 1), 1, "write");
  is_int(lv_fd_unread(again), 1, "something waits");
  is_int(lv_fd_read(again, &c, 1), 1, "it is the same pipe");
  lv_fd_close(&again);
  close_both(ends);
}

static void what_cannot_be_reopened_says_so(void) {
  int ends[2];
  is_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0,
         "sockets");
  is_int(lv_fd_reopen(ends[0], O_RDWR), -ENXIO, "a socket");
  close_both(ends);
  is_int(lv_pty_open(&(lv_pty_opts){0}, &ends[0], &ends[1]), 0, "a terminal");
  is_int(lv_fd_reopen(ends[0], O_RDWR), -ENXIO,
         "a master: it would be another");
  int again = lv_fd_reopen(ends[1], O_RDWR);
  ok(again >= 0 && isatty(again), "a slave can");
  lv_fd_close(&again);
  close_both(ends);
  is_int(lv_fd_reopen(-1, O_RDONLY), -ENOENT, "nothing");
}

static void reopening_never_truncates(void) {
  const char *path = in_dir("file");
  int fd = lv_fd_open(path, O_RDWR | O_CREAT, 0600);
  is_int(write(fd, "text", 4), 4, "write");
  int again = lv_fd_reopen(fd, O_WRONLY | O_CREAT | O_TRUNC);
  ok(again >= 0, "opens again");
  is_int(lseek(again, 0, SEEK_END), 4, "nothing is lost");
  lv_fd_close(&again);
  lv_fd_close(&fd);
  unlink(path);
}

static void blocking_can_be_switched(void) {
  int ends[2];
  is_int(lv_fd_pipe(ends), 0, "opens");
  is_int(lv_fd_set_nonblocking(ends[0], true), 0, "on");
  ok(is_nonblocking(ends[0]), "is on");
  is_int(lv_fd_set_nonblocking(ends[0], true), 0, "on again");
  is_int(lv_fd_set_nonblocking(ends[0], false), 0, "off");
  ok(!is_nonblocking(ends[0]), "is off");
  is_int(lv_fd_set_nonblocking(-1, true), -EBADF, "of nothing");
  close_both(ends);
}

static void is_kind(const char *path, lv_fd_kind want) {
  int fd = lv_fd_open(path, O_RDONLY, 0);
  is_int(lv_fd_kind_of(fd), want, "%s", path);
  lv_fd_close(&fd);
}

static void kinds_are_told_apart(void) {
  int ends[2];
  is_int(lv_fd_pipe(ends), 0, "a pipe");
  is_int(lv_fd_kind_of(ends[0]), LV_FD_PIPE, "is a pipe");
  close_both(ends);
  is_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0,
         "sockets");
  is_int(lv_fd_kind_of(ends[0]), LV_FD_SOCKET, "are sockets");
  close_both(ends);
  is_int(lv_pty_open(&(lv_pty_opts){0}, &ends[0], &ends[1]), 0, "a terminal");
  is_int(lv_fd_kind_of(ends[1]), LV_FD_TTY, "is a terminal");
  close_both(ends);
  is_kind("/dev/null", LV_FD_OTHER);
  is_kind("/", LV_FD_OTHER);
  is_kind("/proc/self/exe", LV_FD_FILE);
  is_int(lv_fd_kind_of(-1), -EBADF, "nothing");
}

static void vectors_are_written_and_read(void) {
  int ends[2];
  char a[3] = "", b[8] = "";
  is_int(lv_fd_pipe(ends), 0, "opens");
  const struct iovec out[2] = {{.iov_base = (char[]){"one"}, .iov_len = 3},
                               {.iov_base = (char[]){"two"}, .iov_len = 3}};
  const struct iovec in[2] = {{.iov_base = a, .iov_len = 2},
                              {.iov_base = b, .iov_len = 7}};
  is_int(lv_fd_writev(ends[1], out, 2), 6, "written");
  is_int(lv_fd_unread(ends[0]), 6, "waiting");
  is_int(lv_fd_readv(ends[0], in, 2), 6, "read");
  is_str(a, "on", "the first part");
  is_str(b, "etwo", "the second part");
  lv_fd_close(&ends[1]);
  is_int(lv_fd_readv(ends[0], in, 2), 0, "then the end");
  close_both(ends);
}

static void a_broken_pipe_is_a_code(void) {
  int ends[2];
  const struct iovec out = {.iov_base = (char[]){"x"}, .iov_len = 1};
  void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* as the runtime does */
  is_int(lv_fd_pipe(ends), 0, "opens");
  lv_fd_close(&ends[0]);
  is_int(lv_fd_writev(ends[1], &out, 1), -EPIPE, "-EPIPE");
  close_both(ends);
  signal(SIGPIPE, before);
}

static volatile sig_atomic_t alarms;
static volatile sig_atomic_t fd_of_alarm;

enum { ALARMS = 5 };

static void on_alarm(int signum) {
  (void)signum;
  if (++alarms != ALARMS) return;
  ssize_t n = write((int)fd_of_alarm, "x", 1);
  (void)n;
}

/* What it reads is written by the last of the signals that interrupt it. */
static void an_interrupted_read_is_tried_again(void) {
  int ends[2];
  char c = 0;
  const struct itimerval often = {.it_interval = {.tv_usec = 1000},
                                  .it_value = {.tv_usec = 1000}};
  is_int(lv_fd_pipe(ends), 0, "opens");
  fd_of_alarm = ends[1];
  sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);
  setitimer(ITIMER_REAL, &often, NULL);
  is_int(lv_fd_read(ends[0], &c, 1), 1, "reads at last");
  ok(alarms >= ALARMS, "after as many signals");
  setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
  signal(SIGALRM, SIG_DFL);
  close_both(ends);
}

static void splice_moves_between_pipes_and_never_waits(void) {
  int from[2], to[2];
  char buf[8] = "";
  is_int(lv_fd_pipe(from), 0, "a pipe");
  is_int(lv_fd_pipe(to), 0, "another");
  is_int(lv_fd_splice(from[0], to[1], 100), -EAGAIN, "nothing there");
  is_int(write(from[1], "abc", 3), 3, "write");
  is_int(lv_fd_splice(from[0], to[1], 100), 3, "moved");
  is_int(lv_fd_read(to[0], buf, 7), 3, "arrived");
  is_str(buf, "abc", "unchanged");
  lv_fd_close(&from[1]);
  is_int(lv_fd_splice(from[0], to[1], 100), 0, "the end");
  close_both(from);
  close_both(to);
}

static void a_pipe_can_be_widened(void) {
  int ends[2];
  is_int(lv_fd_pipe(ends), 0, "opens");
  int before = lv_fd_pipe_size(ends[0]);
  ok(before > 0, "has a size");
  int now = lv_fd_set_pipe_size(ends[0], (size_t)before + 1);
  ok(now > before || now == -EPERM, "grows, unless a limit forbids it");
  if (now > 0) is_int(lv_fd_pipe_size(ends[1]), now, "by as much as it says");
  is_int(lv_fd_set_pipe_size(ends[0], (size_t)INT_MAX + 1), -EINVAL,
         "not beyond an int");
  close_both(ends);
  is_int(lv_fd_pipe_size(-1), -EBADF, "of nothing");
}

static void a_full_pipe_is_told_from_either_end(void) {
  int ends[2];
  is_int(lv_fd_pipe(ends), 0, "opens");
  ok(!lv_fd_pipe_is_full(ends[0]) && !lv_fd_pipe_is_full(ends[1]), "empty");
  lv_fd_set_nonblocking(ends[1], true);
  while (write(ends[1], dir, 1) == 1) {
  }
  ok(lv_fd_pipe_is_full(ends[0]) && lv_fd_pipe_is_full(ends[1]), "full");
  close_both(ends);
  ok(!lv_fd_pipe_is_full(-1), "nothing is not full");
}

/* In a process of its own, without its 0, 1 and 2. */
static bool fills_what_is_closed(void) {
  char c = 0;
  int before = dup(STDERR_FILENO);
  for (int fd = 0; fd <= STDERR_FILENO; fd++)
    close(fd);
  lv_fd_fill_standard();
  for (int fd = 0; fd <= STDERR_FILENO; fd++)
    if (!lv_fd_is_open(fd) || lv_fd_is_inherited(fd)) return false;
  if (read(0, &c, 1) != -1 || errno != EBADF) return false;
  if (write(1, &c, 1) != -1 || errno != EBADF) return false;
  dup2(before, 1);
  lv_fd_fill_standard();
  return lv_fd_is_inherited(1) && lv_fd_is_inherited(before) &&
         !lv_fd_is_inherited(2) && !lv_fd_is_inherited(999);
}

static void stand_ins_are_of_no_use_and_not_inherited(void) {
  fflush(stdout);
  pid_t pid = fork();
  int status = -1;
  if (pid == 0) _exit(fills_what_is_closed() ? 0 : 1);
  waitpid(pid, &status, 0);
  is_int(status, 0, "for 0, 1 and 2");
}

int main(void) {
  const char *tmp = getenv("TMPDIR");
  snprintf(dir, sizeof dir, "%s/test_fd.XXXXXX", tmp == NULL ? "/tmp" : tmp);
  if (mkdtemp(dir) == NULL) return 1;
  run(a_pipe_is_cloexec_and_blocks);
  run(a_copy_is_cloexec_and_above_the_standard_ones);
  run(closing_sets_minus_one_and_may_be_repeated);
  run(opening_a_fifo_never_waits);
  run(opening_makes_files_as_asked);
  run(reopening_a_pipe_leaves_the_old_description_alone);
  run(what_cannot_be_reopened_says_so);
  run(reopening_never_truncates);
  run(blocking_can_be_switched);
  run(kinds_are_told_apart);
  run(vectors_are_written_and_read);
  run(a_broken_pipe_is_a_code);
  run(an_interrupted_read_is_tried_again);
  run(splice_moves_between_pipes_and_never_waits);
  run(a_pipe_can_be_widened);
  run(a_full_pipe_is_told_from_either_end);
  run(stand_ins_are_of_no_use_and_not_inherited);
  rmdir(dir);
  return tap_done();
}
