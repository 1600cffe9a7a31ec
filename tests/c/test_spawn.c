/* tests/c/test_spawn.c — Starting programs: arguments, descriptors, failures,
 * and what must be as before afterwards. The options are test_spawn_opts.c's.
 * Most is tried on several kernels, those that lack something being feigned.
 */
#include "os/spawn.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "spawning.h"

static char *const true_argv[] = {(char[]){"/bin/true"}, NULL};

static volatile sig_atomic_t intruders, handled;
static pid_t owner;

static void on_usr1(int signum) {
  (void)signum;
  handled = 1;
  if (syscall(SYS_getpid) != owner) intruders = 1;
}

/* -- Programs -------------------------------------------------------------- */

static void runs_a_program_with_its_arguments(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  char *files[] = {(char[]){"/bin/sh"}, NULL};
  char *argv[] = {(char[]){"other name"},
                  (char[]){"-c"},
                  (char[]){"echo \"$0|$1|$2\""},
                  (char[]){"a b"},
                  (char[]){""},
                  (char[]){"c"},
                  NULL};
  opts.files = files;
  is_int(run_program(&opts, argv), 0, "starts");
  is_str(output, "a b||c", "with its arguments");
  ok(spawned.op == NULL, "nothing failed");
  is_int(sh(&opts, "exit 7"), 0, "starts");
  is_int(ended.code, 7, "exits with its code");
  is_int(sh(&opts, "kill -9 $$"), 0, "starts");
  is_int(ended.signal, SIGKILL, "dies of its signal");
}

static void gives_the_environment_asked_for_or_ours(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  char *env[] = {(char[]){"A=1"}, (char[]){"B=two words"}, NULL};
  char *argv[] = {(char[]){"/usr/bin/env"}, NULL};
  opts.envp = env;
  is_int(run_program(&opts, argv), 0, "starts");
  is_str(output, "A=1\nB=two words", "the one asked for, and no more");
  opts.envp = NULL;
  setenv("LV_TEST", "ours", 1);
  is_int(sh(&opts, "echo $LV_TEST"), 0, "starts");
  is_str(output, "ours", "our own");
}

static void starts_with_default_signals_and_none_blocked(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  sigset_t some, before, after;
  sigemptyset(&some);
  sigaddset(&some, SIGUSR1);
  sigaddset(&some, SIGRTMAX);
  sigprocmask(SIG_BLOCK, &some, &before);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGRTMIN, on_usr1);
  lv_spawner_note_ignored(spawner, SIGPIPE);
  lv_spawner_note_ignored(spawner, SIGHUP);
  is_int(show(&opts, "/proc/self/status"), 0, "starts");
  is_str(status_of("SigBlk"), "0000000000000000", "blocks none");
  is_str(status_of("SigIgn"), "0000000000000000", "ignores none");
  is_str(status_of("SigCgt"), "0000000000000000", "catches none");
  signal(SIGPIPE, SIG_DFL);
  signal(SIGHUP, SIG_DFL);
  signal(SIGRTMIN, SIG_DFL);
  sigprocmask(SIG_SETMASK, &before, &after);
  ok(sigismember(&after, SIGUSR1) && sigismember(&after, SIGRTMAX) &&
         !sigismember(&after, SIGTERM),
     "our mask is as it was");
}

static bool resets_what_was_ignored_before(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  const unsigned long ignore[8] = {(unsigned long)SIG_IGN};
  for (int signum = 1; signum <= 64; signum++)
    if (signum != SIGCHLD) /* or we could not wait for it */
      syscall(SYS_rt_sigaction, signum, ignore, NULL, 8L);
  return lv_spawner_new(&spawner, true) == 0 &&
         show(&opts, "/proc/self/status") == 0 &&
         strcmp(status_of("SigIgn"), "0000000000000000") == 0;
}

static void finds_out_what_is_ignored(void) {
  if (on_valgrind())
    tap_skip("valgrind needs some signals for itself");
  else
    ok(apart(resets_what_was_ignored_before), "all signals, when it is made");
}

static void make_file(const char *name, const char *text, mode_t mode) {
  int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) < 0) perror(name);
  lv_fd_close(&fd);
}

static int start_files(const char *a, const char *b) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  char one[64], two[64];
  char *files[] = {one, b == NULL ? NULL : two, NULL};
  snprintf(one, sizeof one, "%s", a);
  if (b != NULL) snprintf(two, sizeof two, "%s", b);
  opts.files = files;
  int rc = start(&opts, true_argv);
  if (rc == 0) reap(&spawned);
  return rc;
}

static void looks_for_the_program_as_execvp_does(void) {
  make_file("denied", "#!/bin/sh\n", 0600);
  make_file("no-format", "neither script nor program", 0700);
  make_file("bad-interpreter", "#!/nonexistent/sh\n", 0700);
  is_int(start_files("/nonexistent/true", "/bin/true"), 0, "the next one");
  is_int(start_files("denied/true", "/bin/true"), 0, "not a directory");
  is_int(start_files("denied", "/bin/true"), 0, "one that is denied");
  is_int(start_files("denied", "/nonexistent"), -EACCES, "but it is reported");
  is_int(start_files("/nonexistent", "denied"), -EACCES, "wherever it stood");
  is_int(start_files("/nonexistent", "/none"), -ENOENT, "found nowhere");
  is_int(start_files("no-format", "/bin/true"), -ENOEXEC, "no format");
  if (!on_valgrind()) /* which dies of this */
    is_int(start_files("bad-interpreter", NULL), -ENOENT, "no interpreter");
  is_str(spawned.op, "exec", "all this is exec's");
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  opts.files = (char *[]){NULL};
  is_int(start(&opts, true_argv), -ENOENT, "no file at all");
  unlink("denied");
  unlink("no-format");
  unlink("bad-interpreter");
}

/* -- Descriptors ----------------------------------------------------------- */

static ino_t inode(int fd) {
  struct stat st = {0};
  fstat(fd, &st);
  return st.st_ino;
}

/* An open file, with an inode of its own, under this number. */
static void make_fd(int number) {
  int fd = memfd_create("test", MFD_CLOEXEC);
  dup3(fd, number, O_CLOEXEC);
  close(fd);
}

enum { BASE = 40, WIDTH = 3 }; /* descriptors BASE … are used by these tests */

/* Spawns with fds and compares what each target is with what its source was.
 */
static bool maps_as_told(const lv_fd_map *fds, size_t n) {
  static char paths[MAX_FDS][40];
  char *argv[MAX_FDS + 5] = {(char[]){"/usr/bin/stat"}, (char[]){"-L"},
                             (char[]){"-c"}, (char[]){"%i"}};
  char want[1024] = "";
  size_t len = 0;
  for (size_t i = 0; i < n; i++) {
    snprintf(paths[i], sizeof *paths, "/proc/self/fd/%d", fds[i].target);
    argv[4 + i] = paths[i];
    len += (size_t)snprintf(want + len, sizeof want - len, "%s%llu",
                            i == 0 ? "" : "\n",
                            (unsigned long long)inode(fds[i].source));
  }
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  opts.fds = fds;
  opts.nfds = n;
  bool good = run_program(&opts, argv) == 0 && strcmp(output, want) == 0;
  if (!good) printf("    # got %s, want %s\n", output, want);
  return good;
}

/* Each of WIDTH targets gets each of as many sources, at the same numbers:
 * permutations, cycles, duplicates and what stands still. */
static void maps_descriptors_in_any_order(void) {
  int good = 0, all = 0;
  for (int i = 0; i < WIDTH; i++)
    make_fd(BASE + i);
  for (int code = 0; code < WIDTH * WIDTH * WIDTH; code++, all++) {
    lv_fd_map fds[WIDTH];
    for (int i = 0, rest = code; i < WIDTH; i++, rest /= WIDTH)
      fds[i] = (lv_fd_map){.target = BASE + i, .source = BASE + rest % WIDTH};
    good += maps_as_told(fds, WIDTH);
  }
  is_int(good, all, "all %d ways to map %d descriptors", all, WIDTH);
  const lv_fd_map backwards[] = {{BASE + 9, BASE}, {BASE, BASE + 1},
                                 {7, BASE + 2},    {BASE + 2, BASE},
                                 {0, BASE + 1},    {BASE + 1, BASE + 2}};
  ok(maps_as_told(backwards, 6), "targets in no order, with gaps");
  for (int i = 0; i < WIDTH; i++)
    close(BASE + i);
}

static const char list_numbers[] =
    "for n in 0 1 2 3 4 5 6 7 8 9 40 41 42 43 45 100 101; do"
    " test -e /proc/self/fd/$n && printf '%s ' $n; done";

static void list_open_numbers(lv_spawn_opts *opts) {
  sh(opts, list_numbers);
}

static void closes_every_other_descriptor(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  static const int extra[] = {45, 40, 41, 42, 100, 101};
  for (size_t i = 0; i < 6; i++) {
    make_fd(extra[i]);
    fcntl(extra[i], F_SETFD, 0);
  }
  const lv_fd_map fds[] = {{41, 100}, {6, 45}};
  opts.fds = fds;
  opts.nfds = 2;
  list_open_numbers(&opts);
  is_str(output, "1 6 41 ", "only the targets are open");
  for (size_t i = 0; i < 6; i++)
    close(extra[i]);
}

static void works_without_standard_descriptors_of_our_own(void) {
  int saved[3];
  for (int i = 0; i < 3; i++)
    saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 200);
  for (int i = 0; i < 3; i++)
    close(i);
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  list_open_numbers(&opts);
  bool is_alone = strcmp(output, "1 ") == 0;
  const lv_fd_map fds[] = {{0, 200}, {2, 201}};
  opts.fds = fds;
  opts.nfds = 2;
  list_open_numbers(&opts);
  for (int i = 0; i < 3; i++) {
    if (saved[i] < 0) continue;
    dup2(saved[i], i);
    close(saved[i]);
  }
  ok(is_alone, "its pipe, which was our 0 or 1, is its 1");
  ok(saved[0] < 0 || strcmp(output, "0 1 2 ") == 0, "and so with all three");
}

static void a_source_that_is_not_open_is_reported(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  make_fd(BASE);
  make_fd(BASE + 1);
  /* Copies that are made to get out of the way must not fill in for it. */
  for (int missing = 3; missing < BASE; missing++) {
    if (lv_fd_is_open(missing)) continue;
    const lv_fd_map fds[] = {
        {BASE + 1, BASE}, {BASE, BASE + 1}, {BASE + 5, missing}};
    opts.fds = fds;
    opts.nfds = 3;
    int rc = start(&opts, true_argv);
    if (rc != -EBADF) is_int(rc, -EBADF, "%d is not open", missing);
  }
  const lv_fd_map itself = {BASE + 2, BASE + 2};
  opts.fds = &itself;
  opts.nfds = 1;
  is_int(start(&opts, true_argv), -EBADF, "nor is it if it is its own target");
  is_str(spawned.op, "fds", "it is the descriptors that failed");
  close(BASE);
  close(BASE + 1);
}

enum { MANY = 300 };

static void open_many(int fds[MANY]) {
  for (int i = 0; i < MANY; i++)
    fds[i] = fcntl(0, F_DUPFD_CLOEXEC, 0);
}

static bool are_open(const int fds[MANY]) {
  for (int i = 0; i < MANY; i++)
    if (fcntl(fds[i], F_GETFD) != FD_CLOEXEC) return false;
  return true;
}

/* A program that opens as many descriptors as it may must find all numbers
 * free, and what it closes and opens be its own. */
static void many_descriptors_of_ours_are_no_concern_of_the_child(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  int fds[MANY];
  open_many(fds);
  for (int round = 0; round < 3; round++) {
    is_int(sh(&opts, "for i in 3 4 5 6 7 8 9; do eval \"exec $i</dev/null\";"
                     " done; echo /proc/self/fd/* | wc -w"),
           0, "starts");
    is_str(output, "9", "its own and no more");
    is_int(sh(&opts, "exec 4<&- 5<&- 70<&- 71<&- 200<&-; echo done"), 0,
           "starts");
    ok(are_open(fds), "ours are open as before");
  }
  for (int i = 0; i < MANY; i++)
    lv_fd_close(&fds[i]);
}

/* -- What is left ---------------------------------------------------------- */

static void many_spawns_leave_nothing(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  int n = on_valgrind() ? 20 : 500, good = 0, fds = tap_count_fds();
  for (int i = 0; i < n; i++) {
    if (start(&opts, true_argv) != 0) continue;
    good++;
    reap(&spawned);
  }
  is_int(good, n, "%d times", n);
  is_int(tap_count_fds(), fds, "no descriptor more");
}

static void failed_spawns_leave_nothing(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  int n = on_valgrind() ? 20 : 200, bad = 0, fds = tap_count_fds();
  opts.cwd = "/nonexistent";
  for (int i = 0; i < n; i++)
    bad += start(&opts, true_argv) == -ENOENT && spawned.pid == -1 &&
           spawned.pidfd == -1 && strcmp(spawned.op, "chdir") == 0;
  is_int(bad, n, "%d times", n);
  is_int(tap_count_fds(), fds, "no descriptor more");
}

static void pidfds_are_given_where_there_are_any(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  lv_spawner *without;
  is_int(start(&opts, true_argv), 0, "starts");
  is_int(fcntl(spawned.pidfd, F_GETFD), FD_CLOEXEC, "with a CLOEXEC pidfd");
  reap(&spawned);
  is_int(lv_spawner_new(&without, false), 0, "a spawner that wants none");
  lv_spawn_opts o = opts;
  o.files = true_argv;
  o.argv = true_argv;
  is_int(lv_spawn(without, &o, &spawned), 0, "starts");
  is_int(spawned.pidfd, -1, "without");
  reap(&spawned);
  lv_spawner_free(without);
  lv_spawner_free(NULL);
}

static void forbid_more_fds(int count) {
  int next = dup(0); /* the lowest that is free */
  close(next);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = (rlim_t)next + (rlim_t)count;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static bool spawns_with_one_free_fd(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  if (start(&opts, true_argv) != 0) return false;
  lv_fd_close(&spawned.pidfd);
  forbid_more_fds(1);
  return start(&opts, true_argv) == 0;
}

static void makes_no_pipe_once_memory_is_seen_to_be_shared(void) {
  if (on_valgrind())
    tap_skip("memory is never shared under valgrind");
  else
    ok(apart(spawns_with_one_free_fd), "one descriptor is enough, its pidfd");
}

static bool fails_with_no_free_fd(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  if (start(&opts, true_argv) != 0) return false;
  lv_fd_close(&spawned.pidfd);
  forbid_more_fds(0);
  return start(&opts, true_argv) == -EMFILE &&
         strcmp(spawned.op, "clone") == 0 && spawned.pid == -1;
}

static void running_out_of_descriptors_is_reported(void) {
  ok(apart(fails_with_no_free_fd), "-EMFILE by clone");
}

/* With no descriptor free, the child cannot read /proc/self/fd. */
static bool closes_what_it_cannot_list(void) {
  char script[sizeof list_numbers];
  memcpy(script, list_numbers, sizeof script);
  char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, script, NULL};
  int ends[2];
  syscall(SYS_close_range, 3U, ~0U, 0); /* what we inherited from who tests */
  lv_spawner_pretend(spawner, LV_LACKS_CLOSE_RANGE | LV_LACKS_PIDFD);
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  if (start(&opts, true_argv) != 0 || lv_fd_pipe(ends) < 0) return false;
  const lv_fd_map out = {1, ends[1]};
  opts.fds = &out;
  opts.nfds = 1;
  make_fd(5);
  fcntl(5, F_SETFD, 0);
  forbid_more_fds(0);
  if (start(&opts, argv) != 0) return false;
  lv_fd_close(&ends[1]);
  read_output(ends[0]);
  return strcmp(output, "1 ") == 0;
}

static void closes_the_others_without_listing_them(void) {
  if (on_valgrind())
    tap_skip("memory is never shared under valgrind");
  else
    ok(apart(closes_what_it_cannot_list), "one by one");
}

/* -- Disturbances ---------------------------------------------------------- */

static pid_t start_storm(void) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  signal(SIGUSR1, SIG_IGN);
  for (int i = 0; i < 3000; i++) {
    kill(0, SIGUSR1);
    usleep(50);
  }
  _exit(0);
}

/* The storm hits us and the new children alike, which die of it; but where
 * they still share our memory, they must not run our handler. */
static bool keeps_handlers_out_of_the_child(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  setpgid(0, 0);
  owner = getpid();
  sigaction(SIGUSR1,
            &(struct sigaction){.sa_handler = on_usr1, .sa_flags = SA_RESTART},
            NULL);
  pid_t storm = start_storm();
  while (waitpid(storm, NULL, WNOHANG) == 0)
    if (start(&opts, true_argv) == 0) reap(&spawned);
  return handled && !intruders;
}

static void no_handler_of_ours_runs_in_the_child(void) {
  ok(apart(keeps_handlers_out_of_the_child), "during a storm of signals");
}

static void *spawn_often(void *good) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  lv_spawner *own;
  opts.files = true_argv;
  opts.argv = true_argv;
  *(bool *)good = lv_spawner_new(&own, true) == 0;
  for (int i = 0; *(bool *)good && i < (on_valgrind() ? 5 : 100); i++) {
    lv_spawned child;
    lv_exit e = {.code = -1};
    *(bool *)good = lv_spawn(own, &opts, &child) == 0;
    waitid(P_PID, (id_t)child.pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
    if (lv_child_reap(child.pid, child.pidfd, &e) != 1 || e.code != 0)
      *(bool *)good = false;
    lv_fd_close(&child.pidfd);
  }
  lv_spawner_free(own);
  return NULL;
}

static void threads_with_their_own_spawners_do_not_meet(void) {
  pthread_t threads[3];
  bool good[3];
  for (int i = 0; i < 3; i++)
    pthread_create(&threads[i], NULL, spawn_often, &good[i]);
  for (int i = 0; i < 3; i++) {
    pthread_join(threads[i], NULL);
    ok(good[i], "thread %d", i);
  }
}

/* A sandbox that knows none of the newer calls. */
static bool enter_sandbox(void) {
#define REFUSE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define IF_CALL(number, otherwise) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, (otherwise))
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      IF_CALL(SYS_close_range, 1),
      REFUSE(EPERM),
      IF_CALL(SYS_clone3, 1),
      REFUSE(EPERM),
      IF_CALL(SYS_pidfd_open, 1),
      REFUSE(EPERM),
      IF_CALL(SYS_clone, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
               offsetof(struct seccomp_data, args)), /* flags' lower half */
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1000 /* CLONE_PIDFD */, 0, 1),
      REFUSE(EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 &&
         prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &program) == 0;
}

/* Before it is entered, all of them are in use. */
static bool spawns_in_a_sandbox(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  lv_spawner_pretend(spawner, LV_LACKS_ROOM);
  for (int i = 0; i < 2; i++)
    list_open_numbers(&opts);
  if (strcmp(output, "1 ") != 0) return false;
  make_fd(5);
  fcntl(5, F_SETFD, 0);
  if (!enter_sandbox()) return false;
  list_open_numbers(&opts);
  bool good = strcmp(output, "1 ") == 0;
  return start(&opts, true_argv) == 0 && spawned.pidfd == -1 && good;
}

static void spawns_where_newer_system_calls_are_refused(void) {
  ok(apart(spawns_in_a_sandbox), "in a sandbox");
}

static void run_on_each_kernel(void) {
  run(runs_a_program_with_its_arguments);
  run(starts_with_default_signals_and_none_blocked);
  run(looks_for_the_program_as_execvp_does);
  run(maps_descriptors_in_any_order);
  run(closes_every_other_descriptor);
  run(works_without_standard_descriptors_of_our_own);
  run(a_source_that_is_not_open_is_reported);
  run(many_descriptors_of_ours_are_no_concern_of_the_child);
  run(many_spawns_leave_nothing);
  run(failed_spawns_leave_nothing);
}

int main(void) {
  if (lv_spawner_new(&spawner, true) != 0) return 1;
  run(gives_the_environment_asked_for_or_ours);
  run(pidfds_are_given_where_there_are_any);
  run(makes_no_pipe_once_memory_is_seen_to_be_shared);
  run(running_out_of_descriptors_is_reported);
  run(closes_the_others_without_listing_them);
  run(finds_out_what_is_ignored);
  run(no_handler_of_ours_runs_in_the_child);
  run(threads_with_their_own_spawners_do_not_meet);
  run(spawns_where_newer_system_calls_are_refused);
  for (int i = 0; i < KERNELS; i++) {
    printf("# kernel: %s\n", kernels[i].name);
    lv_spawner_pretend(spawner, kernels[i].lacks);
    run_on_each_kernel();
  }
  lv_spawner_free(spawner);
  return tap_done();
}
