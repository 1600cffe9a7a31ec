/* tests/c/test_proctree.c — What /proc says of processes, and those below. */
#include "base/compiler.h"
#include "os/proctree.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tap.h"

static void end(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

/* A child that has run fn, and then sleeps. */
static pid_t start(void (*fn)(void)) {
  int ready[2];
  if (pipe(ready) < 0) return -1;
  pid_t pid = fork();
  if (pid == 0) {
    close(ready[0]);
    if (fn) fn();
    if (write(ready[1], "", 1) != 1) _exit(1);
    for (;;)
      pause();
  }
  char byte;
  close(ready[1]);
  if (read(ready[0], &byte, 1) != 1) return -1;
  close(ready[0]);
  return pid;
}

static void call_itself_strange(void) {
  prctl(PR_SET_NAME, "a) R (\n\033[1m");
}

static void reads_a_process_whatever_its_name(void) {
  lv_procstat stat;
  pid_t pid = start(call_itself_strange);
  is_int(lv_procstat_read(&stat, pid), 0, "read");
  is_int(stat.pid, pid, "its number");
  is_int(stat.ppid, getpid(), "its parent");
  is_int(stat.pgrp, getpgrp(), "its group");
  is_int(stat.session, getsid(0), "its session");
  is_int(stat.threads, 1 + LV_TSAN, "its threads, TSan's among them");
  ok(stat.start > 0, "its start");
  is_str(stat.comm, "a) R (??[1m", "its name, fit to be shown");
  ok(!lv_procstat_is_dead(&stat), "it lives");
  is_int(lv_proc_uid(pid), (long)getuid(), "its user");
  end(pid);
  is_int(lv_procstat_read(&stat, pid), -ESRCH, "then there is none");
  is_int(lv_proc_uid(pid), -1, "nor its user");
}

static void knows_a_zombie(void) {
  lv_procstat stat;
  siginfo_t info;
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
  is_int(lv_procstat_read(&stat, pid), 0, "read");
  ok(lv_procstat_is_dead(&stat), "it is one");
  end(pid);
}

static void signals_nobody_but_whom_it_means(void) {
  lv_procstat stat;
  int status;
  pid_t pid = start(NULL);
  lv_procstat_read(&stat, pid);
  is_int(lv_proc_signal_exactly(pid, stat.start + 1, SIGKILL), -ESRCH,
         "another of that number");
  is_int(waitpid(pid, &status, WNOHANG), 0, "it lives");
  is_int(lv_proc_signal_exactly(pid, stat.start, SIGKILL), 0, "itself");
  waitpid(pid, &status, 0);
  is_int(WTERMSIG(status), SIGKILL, "killed");
  is_int(lv_proc_signal_exactly(pid, stat.start, SIGKILL), -ESRCH, "gone");
}

static void execute(void) {
  char *const argv[] = {(char *)"sleep", (char *)"600", NULL};
  char *const envp[] = {(char *)"A=1", (char *)"EMPTY=", (char *)"AB=x=y",
                        NULL};
  execve("/bin/sleep", argv, envp);
}

/* Until it is there: it may be just being executed. */
static char *env_of(pid_t pid, const char *name, const char *until) {
  char *value = NULL;
  for (int i = 0; i < 5000 && value == NULL; i++) {
    char *probe = NULL;
    if (lv_proc_env(pid, until, &probe) == 0 && probe)
      lv_proc_env(pid, name, &value);
    free(probe);
    if (value == NULL) usleep(1000);
  }
  return value;
}

static void reads_an_environment(void) {
  pid_t pid = fork();
  if (pid == 0) {
    execute();
    _exit(1);
  }
  char *value = env_of(pid, "AB", "A");
  is_str(value, "x=y", "a value with = in it");
  free(value);
  is_int(lv_proc_env(pid, "A", &value), 0, "read");
  is_str(value, "1", "not that of a longer name");
  free(value);
  lv_proc_env(pid, "EMPTY", &value);
  is_str(value, "", "an empty one");
  free(value);
  lv_proc_env(pid, "B", &value);
  ok(value == NULL, "none");
  end(pid);
  ok(lv_proc_env(pid, "A", &value) < 0 && value == NULL, "of nobody");
}

static pid_t grandchild;

static void have_a_child(void) {
  grandchild = fork();
  if (grandchild == 0)
    for (;;)
      pause();
}

static bool has(const lv_proctree *t, pid_t pid) {
  for (size_t i = 0; i < t->n; i++)
    if (t->list[i].pid == pid) return true;
  return false;
}

static void finds_all_below(void) {
  lv_proctree all = {0}, below = {0};
  lv_pids tops = {0}, children = {0};
  pid_t pid = start(have_a_child), other = start(NULL);
  is_int(lv_proctree_all(&all), 0, "all");
  ok(has(&all, getpid()) && has(&all, pid) && has(&all, other), "are there");
  lv_pids_add(&tops, pid);
  lv_pids_add(&tops, 0x7ffffff0); /* nobody's number is ignored */
  is_int(lv_proctree_below(&below, &tops, &all), 0, "below");
  is_int((long long)below.n, 2, "itself and its child");
  is_int(below.list[0].pid, pid, "the parent first");
  is_int(lv_proctree_children(&children, getpid(), &all), 0, "children");
  lv_pids_sort(&children);
  ok(lv_pids_has(&children, pid) && lv_pids_has(&children, other), "of ours");
  kill(below.list[1].pid, SIGKILL);
  lv_proctree_fini(&all);
  lv_proctree_fini(&below);
  lv_pids_fini(&tops);
  lv_pids_fini(&children);
  end(pid);
  end(other);
}

static void asks_the_kernel_for_children_where_it_can(void) {
  lv_pids children = {0};
  pid_t pid = start(NULL);
  int rc = lv_proctree_children(&children, getpid(), NULL);
  bool lists = lv_proc_lists_children();
  is_int(rc, lists ? 0 : -ENOSYS, "listed or not");
  lv_pids_sort(&children);
  ok(lv_pids_has(&children, pid) == lists, "it is among them");
  lv_pids_fini(&children);
  end(pid);
}

static void reads_numbers_from_a_file(void) {
  lv_pids pids = {0};
  FILE *file = tmpfile();
  fputs("12 7\n0\n\n9", file); /* 0: of another namespace */
  rewind(file);                /* flushed */
  is_int(lv_pids_read(&pids, dup(fileno(file))), 0, "read");
  is_int((long long)pids.n, 3, "all but nobody's");
  lv_pids_sort(&pids);
  is_int(pids.list[0], 7, "sorted");
  ok(lv_pids_has(&pids, 12) && !lv_pids_has(&pids, 5), "found, not found");
  lv_pids_fini(&pids);
  ok(!lv_pids_has(&pids, 12), "none when empty");
  fclose(file);
}

static void reads_as_many_as_there_are(void) {
  enum { N = 4000 };
  lv_pids pids = {0};
  FILE *file = tmpfile();
  for (int i = 1; i <= N; i++)
    fprintf(file, "%d%s", i * 7, i < N ? "\n" : "");
  rewind(file); /* flushed */
  is_int(lv_pids_read(&pids, dup(fileno(file))), 0, "read");
  is_int((long long)pids.n, N, "all");
  bool same = true;
  for (int i = 1; i <= N && same; i++)
    same = pids.list[i - 1] == i * 7;
  ok(same, "none is cut where a read ends");
  lv_pids_fini(&pids);
  fclose(file);
}

int main(void) {
  run(reads_a_process_whatever_its_name);
  run(knows_a_zombie);
  run(signals_nobody_but_whom_it_means);
  run(reads_an_environment);
  run(finds_all_below);
  run(asks_the_kernel_for_children_where_it_can);
  run(reads_numbers_from_a_file);
  run(reads_as_many_as_there_are);
  return tap_done();
}
