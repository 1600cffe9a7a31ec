/* tests/c/test_group.c — Who is alive in a process group. */
#include "os/group.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "spawning.h"

static uint64_t now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Waits for the census to say no, which it does some time if it is so. */
static bool is_seen_to_be_gone(pid_t group) {
  uint64_t since = now();
  for (int i = 0; i < 10000; i++) {
    if (!lv_group_may_be_alive(group, since)) return true;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return false;
}

/* A child in a group of its own, which waits until it is killed. */
static pid_t make_leader(void) {
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    for (;;)
      pause();
  }
  setpgid(pid, pid);
  return pid;
}

static void a_zombie_is_not_alive(void) {
  pid_t leader = make_leader();
  ok(lv_group_may_be_alive(leader, now()), "the leader is");
  kill(leader, SIGKILL);
  ok(is_seen_to_be_gone(leader), "its zombie is not");
  is_int(kill(-leader, 0), 0, "though kill(2) says so");
  waitpid(leader, NULL, 0);
  ok(is_seen_to_be_gone(leader), "nor is one that has been reaped");
}

static void an_old_look_proves_nothing(void) {
  pid_t leader = make_leader();
  kill(leader, SIGKILL);
  ok(is_seen_to_be_gone(leader), "it is gone");
  ok(lv_group_may_be_alive(leader, now()), "but since then all may be other");
  waitpid(leader, NULL, 0);
}

static bool cannot_look(void) {
  pid_t nobody = 1 << 30;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 0;
  setrlimit(RLIMIT_NOFILE, &limit);
  return lv_group_may_be_alive(nobody, now());
}

static void whoever_cannot_look_does_not_say_no(void) {
  if (on_valgrind())
    tap_skip("RLIMIT_NOFILE is not real under valgrind");
  else
    ok(apart(cannot_look), "with no descriptor free");
}

int main(void) {
  run(whoever_cannot_look_does_not_say_no);
  run(a_zombie_is_not_alive);
  run(an_old_look_proves_nothing);
  return tap_done();
}
