/* tests/c/test_pidfd.c — Watching, signalling and reaping a child, each time
 * by its pidfd and by its number alone. */
#include "os/pidfd.h"

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "os/fd.h"
#include "tap.h"

static bool by_number; /* the round that works without pidfds */

/* A child that runs fn. */
static pid_t start(void (*fn)(int arg), int arg, int *pidfd) {
  pid_t pid = fork();
  if (pid == 0) {
    fn(arg);
    _exit(0);
  }
  *pidfd = by_number ? -1 : lv_pidfd_open(pid);
  ok(by_number || *pidfd >= 0, "pidfd of %d", (int)pid);
  return pid;
}

static void until_it_ends(pid_t pid) {
  siginfo_t info;
  waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
}

static void rest(int arg) {
  (void)arg;
  for (;;)
    pause();
}

static void leave(int code) {
  _exit(code);
}

static void die(int signum) {
  signal(signum, SIG_DFL);
  raise(signum);
}

static void work(int arg) {
  (void)arg;
  while (clock() < CLOCKS_PER_SEC / 50) {
  }
}

static void keeps_every_exit_code(void) {
  static const int codes[] = {0, 1, 2, 7, 126, 127, 128, 129, 255};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    int pidfd;
    lv_exit e;
    pid_t pid = start(leave, codes[i], &pidfd);
    until_it_ends(pid);
    is_int(lv_child_reap(pid, pidfd, &e), 1, "ended");
    is_int(e.code, codes[i], "with %d", codes[i]);
    is_int(e.signal, 0, "by no signal");
    ok(!e.core, "without a core dump");
    lv_fd_close(&pidfd);
  }
}

static void keeps_the_signal_of_a_killed_child(void) {
  static const int signals[] = {SIGHUP, SIGKILL, SIGTERM, SIGPIPE};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    int pidfd;
    lv_exit e;
    pid_t pid = start(die, signals[i], &pidfd);
    until_it_ends(pid);
    is_int(lv_child_reap(pid, pidfd, &e), 1, "ended");
    is_int(e.signal, signals[i], "by %d", signals[i]);
    is_int(e.code, -1, "with no code");
    lv_fd_close(&pidfd);
  }
}

static void a_child_that_runs_has_nothing_to_tell(void) {
  int pidfd;
  lv_exit e;
  pid_t pid = start(rest, 0, &pidfd);
  is_int(lv_child_peek(pid, pidfd, &e), 0, "peek");
  is_int(lv_child_reap(pid, pidfd, &e), 0, "reap");
  is_int(lv_child_signal(pid, pidfd, 0), 0, "is there");
  is_int(lv_child_signal(pid, pidfd, 9999), -EINVAL, "no such signal");
  is_int(lv_child_signal(pid, pidfd, SIGKILL), 0, "can be killed");
  until_it_ends(pid);
  is_int(lv_child_reap(pid, pidfd, &e), 1, "then it has");
  is_int(e.signal, SIGKILL, "its signal");
  lv_fd_close(&pidfd);
}

static void peeking_leaves_the_zombie_and_reaping_does_not(void) {
  int pidfd;
  lv_exit e;
  pid_t pid = start(leave, 3, &pidfd);
  until_it_ends(pid);
  for (int i = 0; i < 2; i++) {
    e = (lv_exit){0};
    is_int(lv_child_peek(pid, pidfd, &e), 1, "it has ended");
    is_int(e.code, 3, "with its code");
  }
  is_int(lv_child_signal(pid, pidfd, SIGTERM), 0, "a zombie takes signals");
  e = (lv_exit){0};
  is_int(lv_child_reap(pid, pidfd, &e), 1, "it is reaped");
  is_int(e.code, 3, "with its code");
  is_int(lv_child_peek(pid, pidfd, &e), -ECHILD, "and then it is gone");
  is_int(lv_child_reap(pid, pidfd, &e), -ECHILD, "for good");
  lv_fd_close(&pidfd);
}

static long micros(struct timeval t) {
  return t.tv_sec * 1000000 + t.tv_usec;
}

static void tells_what_the_child_used(void) {
  int pidfd;
  lv_exit peeked, reaped;
  pid_t pid = start(work, 0, &pidfd);
  until_it_ends(pid);
  is_int(lv_child_peek(pid, pidfd, &peeked), 1, "peek");
  is_int(lv_child_reap(pid, pidfd, &reaped), 1, "reap");
  long used = micros(reaped.usage.ru_utime) + micros(reaped.usage.ru_stime);
  ok(used >= 10000, "its processor time");
  ok(reaped.usage.ru_maxrss > 0, "its memory");
  ok(micros(peeked.usage.ru_utime) == micros(reaped.usage.ru_utime),
     "peeking sees the same");
  lv_fd_close(&pidfd);
}

static bool stops_soon(pid_t pid, int pidfd) {
  for (int i = 0; i < 5000; i++) {
    if (lv_child_stopped(pid, pidfd) == 1) return true;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return false;
}

static void tells_once_that_a_child_has_stopped(void) {
  int pidfd;
  lv_exit e;
  pid_t pid = start(rest, 0, &pidfd);
  is_int(lv_child_stopped(pid, pidfd), 0, "it runs");
  is_int(lv_child_signal(pid, pidfd, SIGSTOP), 0, "is told to stop");
  ok(stops_soon(pid, pidfd), "stops");
  is_int(lv_child_stopped(pid, pidfd), 0, "which is told once");
  is_int(lv_child_peek(pid, pidfd, &e), 0, "and is no end");
  is_int(lv_child_signal(pid, pidfd, SIGKILL), 0, "is killed");
  until_it_ends(pid);
  is_int(lv_child_stopped(pid, pidfd), 0, "a dead child does not stop");
  is_int(lv_child_reap(pid, pidfd, &e), 1, "its end is still told");
  lv_fd_close(&pidfd);
}

static void a_process_that_is_not_our_child_cannot_be_reaped(void) {
  int pidfd = by_number ? -1 : lv_pidfd_open(getppid());
  lv_exit e;
  is_int(lv_child_peek(getppid(), pidfd, &e), -ECHILD, "our parent");
  is_int(lv_child_stopped(getppid(), pidfd), 0, "tells us nothing");
  lv_fd_close(&pidfd);
}

static void a_pidfd_is_cloexec_and_of_a_living_process(void) {
  int fd = lv_pidfd_open(getpid());
  is_int(fcntl(fd, F_GETFD), FD_CLOEXEC, "CLOEXEC");
  lv_fd_close(&fd);
  is_int(lv_pidfd_open(1 << 30), -ESRCH, "no such process");
}

static void run_all(void) {
  run(keeps_every_exit_code);
  run(keeps_the_signal_of_a_killed_child);
  run(a_child_that_runs_has_nothing_to_tell);
  run(peeking_leaves_the_zombie_and_reaping_does_not);
  run(tells_what_the_child_used);
  run(tells_once_that_a_child_has_stopped);
  run(a_process_that_is_not_our_child_cannot_be_reaped);
}

static bool has_pidfds(void) {
  int fd = lv_pidfd_open(getpid());
  bool has = fd != -ENOSYS; /* which valgrind 3.19 says, too */
  lv_fd_close(&fd);
  return has;
}

int main(void) {
  if (has_pidfds()) {
    run(a_pidfd_is_cloexec_and_of_a_living_process);
    printf("# by pidfd\n");
    run_all();
  }
  printf("# by number\n");
  by_number = true;
  run_all();
  return tap_done();
}
