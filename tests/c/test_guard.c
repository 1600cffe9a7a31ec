/* tests/c/test_guard.c — A guard that wakes up kills whom it was told of. */
#include "os/guard.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "os/procfile.h"
#include "tap.h"

/* Another run of this test may have its guard, too. */
static lv_guard_notes notes;
static char mark[80], longer[80], none[] = "A=1";

static void choose_marks(void) {
  snprintf(notes.run, sizeof notes.run, "test-%d", (int)getpid());
  snprintf(mark, sizeof mark, "LUVISOR_RUN=%s", notes.run);
  snprintf(longer, sizeof longer, "LUVISOR_RUN=%s0", notes.run);
}

/* Our child, though somebody else's once. */
static pid_t start_shell(const char *script, char *variable) {
  char *const argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
  char *const envp[] = {variable, NULL};
  pid_t pid = fork();
  if (pid != 0) return pid;
  setsid();
  execve("/bin/sh", argv, envp);
  _exit(1);
}

static void wait_for_exec(pid_t pid) {
  lv_procstat stat = {.comm = ""};
  for (int i = 0; i < 5000 && strcmp(stat.comm, "sh") != 0; i++) {
    usleep(1000);
    lv_procstat_read(&stat, pid);
  }
}

/* A guard whose supervisor lives as long as *alive is open. */
static pid_t start_guard(int fd, int *alive) {
  int ends[2];
  if (pipe(ends) < 0) return -1;
  pid_t pid = fork();
  if (pid == 0) {
    int copy = fcntl(fd, F_DUPFD, 10), watched = fcntl(ends[0], F_DUPFD, 10);
    close(ends[1]);
    dup2(copy, LV_GUARD_NOTES);
    dup2(watched, LV_GUARD_WATCHED);
    close(copy);
    close(watched);
    if (freopen("/dev/null", "w", stderr) == NULL) _exit(3);
    _exit(lv_guard_main());
  }
  close(ends[0]);
  *alive = ends[1];
  return pid;
}

static int status_of(pid_t pid) {
  int status = -1;
  waitpid(pid, &status, 0);
  return status;
}

static void reap_all(void) {
  while (waitpid(-1, NULL, 0) > 0) {
  }
}

static void kills_by_mark_and_by_session(void) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t marked = start_shell("trap '' TERM; sleep 600", mark);
  pid_t noted = start_shell("sleep 600 & sleep 600", none);
  pid_t stranger = start_shell("exec sleep 600", longer);
  wait_for_exec(marked);
  wait_for_exec(noted);
  int fd = lv_guard_notes_new(&notes), alive = -1;
  ok(fd >= 0, "notes");
  is_int(lv_guard_notes_set(fd, 0, 1), 0, "a slot …");
  is_int(lv_guard_notes_set(fd, 2, noted), 0, "another");
  is_int(lv_guard_notes_set(fd, 0, 0), 0, "… that is free again");
  pid_t guard = start_guard(fd, &alive);
  is_int(waitpid(marked, NULL, WNOHANG), 0, "it sleeps");
  close(alive);
  is_int(status_of(guard), 0, "it has done its work");
  is_int(WTERMSIG(status_of(marked)), SIGKILL, "by its mark");
  is_int(WTERMSIG(status_of(noted)), SIGKILL, "by its session");
  is_int(waitpid(stranger, NULL, WNOHANG), 0, "nobody else");
  kill(stranger, SIGKILL);
  reap_all();
  close(fd);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void ends_at_once_without_notes(void) {
  int alive = -1, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  pid_t guard = start_guard(null, &alive);
  is_int(WEXITSTATUS(status_of(guard)), 2, "with a code that says so");
  close(alive);
  close(null);
}

static void watches_this_process(void) {
  int fds[2];
  is_int(lv_guard_watch(fds, false), 0, "by a pipe");
  ok(fds[0] >= 0 && fds[1] >= 0, "two ends");
  close(fds[0]);
  close(fds[1]);
}

int main(void) {
  choose_marks();
  run(kills_by_mark_and_by_session);
  run(ends_at_once_without_notes);
  run(watches_this_process);
  return tap_done();
}
