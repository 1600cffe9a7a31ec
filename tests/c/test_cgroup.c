/* tests/c/test_cgroup.c — Folders of cgroup v2: made, entered, locked. */
#include "os/cgroup.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

static char *dir; /* one of ours; NULL: it cannot be made */

static void make_dir(void) {
  char *own = lv_cgroup_own();
  if (own && asprintf(&dir, "%s/test-%d", own, (int)getpid()) < 0) dir = NULL;
  free(own);
  if (dir == NULL || mkdir(dir, 0755) == 0) return;
  free(dir);
  dir = NULL;
}

static pid_t start_in(const char *path) {
  char *procs = NULL;
  if (asprintf(&procs, "%s/cgroup.procs", path) < 0) return -1;
  FILE *file = fopen(procs, "we");
  free(procs);
  if (file == NULL) return -1;
  pid_t pid = fork();
  if (pid == 0)
    for (;;)
      pause();
  fprintf(file, "%d", (int)pid);
  fclose(file);
  return pid;
}

static int count(const char *sub, void *arg) {
  (void)sub;
  ++*(int *)arg;
  return 0;
}

static void knows_who_lives_in_it(void) {
  ok(lv_cgroup_can_enter(dir), "it can be entered");
  ok(!lv_cgroup_is_populated(dir), "whoever tried has left it");
  char *below = NULL;
  int folders = 0;
  if (asprintf(&below, "%s/below", dir) < 0) return;
  mkdir(below, 0755);
  is_int(lv_cgroup_each(dir, count, &folders), 0, "each folder");
  is_int(folders, 1, "there is one");
  pid_t pid = start_in(below);
  lv_pids members = {0};
  ok(lv_cgroup_is_populated(dir), "somebody lives below");
  is_int(lv_cgroup_members(&members, dir), 0, "members");
  ok(members.n == 1 && members.list[0] == pid, "him alone");
  is_int(lv_cgroup_remove_empty(below), -EBUSY, "he is in it");
  is_int(lv_cgroup_remove(dir), -EBUSY, "it cannot be removed");
  int rc = lv_cgroup_kill(dir);
  ok(rc == 0 || rc == -ENOENT, "killed, since Linux 5.14");
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  ok(!lv_cgroup_is_populated(dir), "nobody is left");
  is_int(lv_cgroup_remove_empty(dir), -EBUSY, "a folder is in it");
  is_int(lv_cgroup_remove_empty(below), 0, "which can be removed");
  is_int(lv_cgroup_remove_empty(below), 0, "and has gone");
  lv_pids_fini(&members);
  free(below);
}

static void is_locked_once(void) {
  int first = lv_cgroup_lock(dir);
  ok(first >= 0, "locked");
  is_int(lv_cgroup_lock(dir), -EWOULDBLOCK, "not twice");
  int copy = dup(first);
  close(first);
  is_int(lv_cgroup_lock(dir), -EWOULDBLOCK, "a copy holds it, too");
  close(copy);
  first = lv_cgroup_lock(dir);
  ok(first >= 0, "then it is free");
  close(first);
}

static void says_what_is_not_there(void) {
  lv_pids members = {0};
  is_int(lv_cgroup_lock("/nowhere"), -ENOENT, "no lock");
  ok(!lv_cgroup_can_enter("/nowhere"), "no entry");
  ok(!lv_cgroup_is_populated("/nowhere"), "nobody");
  is_int(lv_cgroup_members(&members, "/nowhere"), 0, "no members");
  is_int(lv_cgroup_remove("/nowhere"), 0, "removed already");
  is_int(lv_cgroup_kill("/nowhere"), -ENOENT, "none to kill");
}

static void goes_with_all_that_is_in_it(void) {
  is_int(lv_cgroup_remove(dir), 0, "removed");
  ok(access(dir, F_OK) < 0, "it is gone");
}

int main(void) {
  make_dir();
  run(says_what_is_not_there);
  if (dir) {
    run(knows_who_lives_in_it);
    run(is_locked_once);
    run(goes_with_all_that_is_in_it);
  }
  free(dir);
  return tap_done();
}
