/* tests/c/test_spawn_opts.c — Each option of lv_spawn, seen from inside the
 * child, on each kernel; and each way in which one fails. What needs root is
 * skipped without. */
#include "os/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "os/pty.h"
#include "spawning.h"

static char *const true_argv[] = {(char[]){"/bin/true"}, NULL};

static bool is_root(void) {
  if (geteuid() == 0) return true;
  tap_skip("needs root");
  return false;
}

/* In a process of its own: stop being root. */
static bool become_nobody(void) {
  if (geteuid() != 0) return true;
  return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
         setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

/* Fields of /proc/self/stat, proc(5). */
enum { PGRP = 5, SESSION = 6, TTY = 7, FOREGROUND = 8, NICE = 19 };

/* -- Processes, groups and terminals --------------------------------------- */

static void stays_in_our_session_and_group(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  is_int(show(&opts, "/proc/self/stat"), 0, "starts");
  is_int(stat_field(PGRP), getpgrp(), "our group");
  is_int(stat_field(SESSION), getsid(0), "our session");
}

static void session_makes_it_the_leader_of_a_new_one(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  opts.session = true;
  is_int(show(&opts, "/proc/self/stat"), 0, "starts");
  is_int(stat_field(SESSION), spawned.pid, "its own session");
  is_int(stat_field(PGRP), spawned.pid, "its own group");
  is_int(stat_field(TTY), 0, "no terminal");
}

static void pgroup_makes_or_joins_a_group(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  char *argv[] = {(char[]){"/bin/sleep"}, (char[]){"50"}, NULL};
  opts.pgroup = 0;
  is_int(start(&opts, argv), 0, "the leader starts");
  lv_spawned leader = spawned;
  is_int(getpgid(leader.pid), leader.pid, "in a group of its own");
  opts.pgroup = leader.pid;
  is_int(show(&opts, "/proc/self/stat"), 0, "a member starts");
  is_int(stat_field(PGRP), leader.pid, "in that group");
  is_int(lv_child_signal(leader.pid, leader.pidfd, SIGKILL), 0, "killed");
  reap(&leader);
}

static void ctty_becomes_its_controlling_terminal(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  int master, slave;
  is_int(lv_pty_open(&(lv_pty_opts){0}, &master, &slave), 0, "a terminal");
  const lv_fd_map in = {.target = 0, .source = slave};
  opts.session = true;
  opts.ctty = slave;
  opts.fds = &in;
  opts.nfds = 1;
  is_int(show(&opts, "/proc/self/stat"), 0, "starts");
  ok(stat_field(TTY) != 0, "has a terminal");
  is_int(stat_field(FOREGROUND), spawned.pid, "and is its foreground");
  is_int(sh(&opts, "exec tty </dev/tty"), 0, "starts");
  is_str(output, "/dev/tty", "can open it as its own");
  is_int(ended.code, 0, "as a terminal");
  lv_fd_close(&slave);
  lv_fd_close(&master);
}

/* We lead a session with a terminal here. The first child takes it, and so we
 * are in the background when the second does. */
static bool children_take_the_foreground(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  int master, slave;
  bool good = true;
  if (lv_pty_open(&(lv_pty_opts){0}, &master, &slave) < 0) return false;
  signal(SIGHUP, SIG_IGN);
  if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0) return false;
  for (int i = 0; i < 2; i++) {
    opts.pgroup = 0;
    opts.foreground = slave;
    good = good && show(&opts, "/proc/self/stat") == 0 &&
           stat_field(FOREGROUND) == spawned.pid &&
           stat_field(PGRP) == spawned.pid;
  }
  return good;
}

static void foreground_gives_its_group_the_terminal(void) {
  ok(apart(children_take_the_foreground), "twice, from the background too");
}

/* -- Control groups -------------------------------------------------------- */

static bool make_cgroup(char path[PATH_MAX]) {
  static const char *const roots[] = {"/sys/fs/cgroup/unified",
                                      "/sys/fs/cgroup"};
  for (int i = 0; i < 2; i++) {
    char procs[PATH_MAX];
    snprintf(procs, sizeof procs, "%s/cgroup.procs", roots[i]);
    if (access(procs, W_OK) != 0) continue;
    snprintf(path, PATH_MAX, "%s/luvisor-test-%d", roots[i], (int)getpid());
    if (mkdir(path, 0755) == 0) return true;
  }
  tap_skip("needs a writable cgroup v2");
  return false;
}

static void remove_cgroup(const char *path) {
  for (int i = 0; i < 5000 && rmdir(path) == -1 && errno == EBUSY; i++)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  ok(access(path, F_OK) == -1, "nothing is left in it");
}

static void starts_in_its_cgroup(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  char path[PATH_MAX], want[64];
  if (!make_cgroup(path)) return;
  opts.cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  snprintf(want, sizeof want, "0::/luvisor-test-%d", (int)getpid());
  is_int(show(&opts, "/proc/self/cgroup"), 0, "starts");
  ok(strstr(output, want) != NULL, "in its cgroup");
  is_int(show(&opts, "/proc/self/cgroup"), 0, "starts again");
  ok(strstr(output, want) != NULL, "in its cgroup");
  opts.cwd = "/nonexistent";
  is_int(start(&opts, true_argv), -ENOENT, "fails");
  is_str(spawned.op, "chdir", "for another reason");
  lv_fd_close(&opts.cgroup);
  is_int(show(&(lv_spawn_opts)LV_SPAWN_OPTS_INIT, "/proc/self/cgroup"), 0,
         "one without");
  ok(strstr(output, want) == NULL, "is not in it");
  remove_cgroup(path);
}

static void what_is_no_cgroup_is_reported(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  opts.cgroup = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int rc = start(&opts, true_argv);
  ok(rc == -EBADF || rc == -ENOENT, "fails with EBADF or ENOENT: %d", rc);
  is_str(spawned.op, "cgroup", "as cgroup");
  lv_fd_close(&opts.cgroup);
}

/* -- Users ----------------------------------------------------------------- */

static void runs_as_the_user_and_groups_asked_for(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  const uid_t uid = 1234;
  const gid_t gid = 2345, groups[] = {3456, 4567};
  if (!is_root()) return;
  opts.uid = &uid;
  opts.gid = &gid;
  opts.groups = groups;
  opts.ngroups = 2;
  is_int(show(&opts, "/proc/self/status"), 0, "starts");
  is_str(status_of("Uid"), "1234\t1234\t1234\t1234", "all four user ids");
  is_str(status_of("Gid"), "2345\t2345\t2345\t2345", "all four group ids");
  is_str(status_of("Groups"), "3456 4567 ", "further groups");
  is_str(status_of("CapEff"), "0000000000000000", "no capability");
  opts.ngroups = 0;
  is_int(show(&opts, "/proc/self/status"), 0, "starts");
  is_str(status_of("Groups"), " ", "no further groups");
  is_int(prctl(PR_GET_DUMPABLE), 1, "we could still leave a core dump");
  is_int((int)geteuid(), 0, "we are who we were");
}

static bool keeps_what_was_not_dumpable(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  const uid_t uid = 1234;
  opts.uid = &uid;
  prctl(PR_SET_DUMPABLE, 0L);
  return start(&opts, true_argv) == 0 && prctl(PR_GET_DUMPABLE) == 0;
}

static void does_not_make_us_dumpable(void) {
  if (is_root()) ok(apart(keeps_what_was_not_dumpable), "if we were not");
}

static void no_new_privs_is_set(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  is_int(show(&opts, "/proc/self/status"), 0, "starts");
  int before = prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L);
  is_str(status_of("NoNewPrivs"), before ? "1" : "0", "ours by default");
  opts.no_new_privs = true;
  is_int(show(&opts, "/proc/self/status"), 0, "starts");
  is_str(status_of("NoNewPrivs"), "1", "set");
  is_int(prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L), before, "not for us");
}

/* -- Surroundings ---------------------------------------------------------- */

static void cwd_is_where_it_starts(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  char before[PATH_MAX], after[PATH_MAX];
  if (getcwd(before, sizeof before) == NULL) return;
  opts.cwd = "/proc";
  is_int(sh(&opts, "pwd"), 0, "starts");
  is_str(output, "/proc", "there");
  is_str(getcwd(after, sizeof after), before, "and we stay where we were");
}

/* The new root is empty, so /bin/true is not found in it: it is the exec that
 * fails, or what comes before. */
static void chroot_comes_before_cwd(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  char root[] = "rootXXXXXX", inside[32];
  if (!is_root() || mkdtemp(root) == NULL) return;
  snprintf(inside, sizeof inside, "%s/inside", root);
  mkdir(inside, 0700);
  opts.chroot = root;
  is_int(start(&opts, true_argv), -ENOENT, "fails");
  is_str(spawned.op, "exec", "nothing to execute there");
  opts.cwd = "/inside";
  is_int(start(&opts, true_argv), -ENOENT, "fails");
  is_str(spawned.op, "exec", "cwd is inside");
  opts.cwd = "/bin";
  is_int(start(&opts, true_argv), -ENOENT, "fails");
  is_str(spawned.op, "chdir", "and not outside");
  opts.chroot = "/";
  opts.cwd = NULL;
  is_int(sh(&opts, "pwd"), 0, "starts");
  is_str(output, "/", "and is in the root");
  rmdir(inside);
  rmdir(root);
}

static void umask_is_its_own(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  mode_t before = umask(022);
  is_int(sh(&opts, "umask"), 0, "starts");
  is_str(output, "0022", "ours by default");
  opts.umask = 0137;
  is_int(sh(&opts, "umask"), 0, "starts");
  is_str(output, "0137", "the one asked for");
  is_int(umask(before), 022, "ours is as it was");
}

static void nice_is_a_value_and_no_increment(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  const int values[] = {7, 19};
  for (int i = 0; i < 2; i++) {
    opts.nice = &values[i];
    is_int(show(&opts, "/proc/self/stat"), 0, "starts");
    is_int(stat_field(NICE), values[i], "nice %d", values[i]);
  }
}

/* valgrind has limits of its own for its client's descriptors. */
static bool has_nofile(void) {
  if (!on_valgrind()) return true;
  tap_skip("RLIMIT_NOFILE is not real under valgrind");
  return false;
}

static void limits_are_set(void) {
  if (!has_nofile()) return;
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  const lv_limit limits[] = {
      {RLIMIT_NOFILE, {20, 30}}, {RLIMIT_CORE, {0, 0}}, {RLIMIT_CPU, {9, 10}}};
  opts.limits = limits;
  opts.nlimits = 3;
  is_int(sh(&opts, "ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -St"), 0,
         "starts");
  is_str(output, "20\n30\n0\n9", "as asked");
  struct rlimit ours;
  getrlimit(RLIMIT_CORE, &ours);
  is_int(sh(&(lv_spawn_opts)LV_SPAWN_OPTS_INIT, "ulimit -Sn"), 0, "starts");
  ok(strcmp(output, "20") != 0, "ours by default");
}

static void a_low_limit_leaves_high_targets_alone(void) {
  if (!has_nofile()) return;
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  const lv_limit limit = {RLIMIT_NOFILE, {4, 4}};
  int ends[2];
  is_int(lv_fd_pipe(ends), 0, "a pipe");
  const lv_fd_map high = {.target = 90, .source = ends[0]};
  const int score = 500;
  opts.limits = &limit;
  opts.nlimits = 1;
  opts.fds = &high;
  opts.nfds = 1;
  opts.oom_score_adj = &score;
  is_int(sh(&opts, "test -e /proc/self/fd/90 && echo yes"), 0, "starts");
  is_str(output, "yes", "with its descriptor above the limit");
  lv_fd_close(&ends[0]);
  lv_fd_close(&ends[1]);
}

static void oom_score_adj_is_its_own(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  const char *path = "/proc/self/oom_score_adj";
  const int score = 321;
  opts.oom_score_adj = &score;
  is_int(show(&opts, path), 0, "starts");
  is_str(output, "321", "as asked");
  char ours[16] = "";
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ok(read(fd, ours, sizeof ours - 1) > 0, "we have one");
  ok(strcmp(ours, "321\n") != 0, "which is not the child's");
  lv_fd_close(&fd);
}

static void cpus_are_those_asked_for(void) {
  lv_spawn_opts opts = LV_SPAWN_OPTS_INIT;
  cpu_set_t ours, one;
  sched_getaffinity(0, sizeof ours, &ours);
  size_t cpu = CPU_SETSIZE - 1;
  while (!CPU_ISSET(cpu, &ours))
    cpu--;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  opts.cpus = &one;
  char want[16];
  snprintf(want, sizeof want, "%zu", cpu);
  is_int(show(&opts, "/proc/self/status"), 0, "starts");
  is_str(status_of("Cpus_allowed_list"), want, "the last of ours");
  cpu_set_t after;
  sched_getaffinity(0, sizeof after, &after);
  ok(CPU_EQUAL(&ours, &after), "ours are as they were");
}

static lv_spawn_opts pdeath;
static int life[2]; /* a pipe that the grandchild alone holds open */

static bool dies_with_a_child(void) {
  char *argv[] = {(char[]){"/bin/sleep"}, (char[]){"50"}, NULL};
  const lv_fd_map held = {.target = 9, .source = life[1]};
  pdeath.fds = &held;
  pdeath.nfds = 1;
  return start(&pdeath, argv) == 0;
}

static void child_follows_us(void) {
  char c;
  is_int(lv_fd_pipe(life), 0, "a pipe");
  ok(apart(dies_with_a_child), "it starts, and its parent dies");
  lv_fd_close(&life[1]);
  is_int(lv_fd_read(life[0], &c, 1), 0, "and it with it");
  lv_fd_close(&life[0]);
}

static void pdeathsig_ends_it_with_us(void) {
  const uid_t uid = NOBODY;
  pdeath = (lv_spawn_opts)LV_SPAWN_OPTS_INIT;
  pdeath.pdeathsig = SIGKILL;
  child_follows_us();
  if (!is_root()) return;
  pdeath.uid = &uid;
  child_follows_us();
}

/* -- Failures -------------------------------------------------------------- */

/* The lists of opts have one entry at most. */
static bool fails(lv_spawn_opts *opts, int error, const char *op) {
  opts->nfds = opts->fds != NULL;
  opts->nlimits = opts->limits != NULL;
  opts->ngroups = opts->groups != NULL;
  int fds = tap_count_fds();
  int rc = start(opts, true_argv);
  if (rc == 0) reap(&spawned);
  bool good = rc == -error && spawned.op != NULL &&
              strcmp(spawned.op, op) == 0 && spawned.pid == -1 &&
              spawned.pidfd == -1 && tap_count_fds() == fds &&
              waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD;
  if (!good)
    fprintf(stderr, "# want %d %s, got %d %s\n", -error, op, rc,
            spawned.op == NULL ? "(none)" : spawned.op);
  return good;
}

/* The default options with one thing set, in the local variable `bad`. */
#define FAILS(setting, error, op) \
  (bad = (lv_spawn_opts)LV_SPAWN_OPTS_INIT, bad.setting, fails(&bad, error, op))

static void failures_say_what_failed(void) {
  lv_spawn_opts bad;
  int ends[2];
  is_int(lv_fd_pipe(ends), 0, "a pipe");
  const lv_limit odd = {9999, {1, 1}}, crossed = {RLIMIT_CORE, {2, 1}};
  const int score = 5000;
  const cpu_set_t none = {0};
  const lv_fd_map closed = {.target = 5, .source = 987};
  const lv_fd_map beyond = {.target = INT_MAX, .source = ends[0]};
  ok(FAILS(pgroup = 1 << 30, EPERM, "setpgid"), "setpgid");
  ok(FAILS(ctty = ends[0], ENOTTY, "tty"), "ctty");
  ok(FAILS(foreground = ends[0], ENOTTY, "tty"), "foreground");
  ok(FAILS(limits = &odd, EINVAL, "limits"), "limits");
  ok(FAILS(limits = &crossed, EINVAL, "limits"),
     "a soft limit above the hard one");
  ok(FAILS(oom_score_adj = &score, EINVAL, "oom_score_adj"), "oom");
  ok(FAILS(cpus = &none, EINVAL, "cpu_affinity"), "cpus");
  ok(FAILS(cwd = "/nonexistent", ENOENT, "chdir"), "chdir");
  ok(FAILS(cwd = "/dev/null", ENOTDIR, "chdir"), "chdir to a file");
  ok(FAILS(pdeathsig = 9999, EINVAL, "pdeathsig"), "pdeathsig");
  ok(FAILS(fds = &closed, EBADF, "fds"), "fds");
  ok(FAILS(fds = &beyond, EBADF, "fds"), "fds, beyond");
  lv_fd_close(&ends[0]);
  lv_fd_close(&ends[1]);
}

static bool nobody_fails(void) {
  lv_spawn_opts bad;
  const uid_t uid = 0;
  const gid_t gid = 0;
  const int nice = -5;
  char *denied[] = {(char[]){"/etc/passwd"}, NULL};
  return become_nobody() && FAILS(uid = &uid, EPERM, "setuid") &&
         FAILS(gid = &gid, EPERM, "setgid") &&
         FAILS(groups = &gid, EPERM, "groups") &&
         FAILS(chroot = "/", EPERM, "chroot") &&
         FAILS(nice = &nice, EACCES, "nice") &&
         FAILS(files = denied, EACCES, "exec");
}

static void failures_without_privilege_say_what_failed(void) {
  ok(apart(nobody_fails), "setuid, setgid, groups, chroot, nice, exec");
}

/* Last, as each process counts for this user. */
static bool fails_to_fork(void) {
  lv_spawn_opts bad;
  if (!become_nobody()) return false;
  setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0});
  return FAILS(cwd = NULL, EAGAIN, "clone");
}

static void running_out_of_processes_is_reported(void) {
  ok(apart(fails_to_fork), "-EAGAIN by clone");
}

static void run_on_each_kernel(void) {
  run(stays_in_our_session_and_group);
  run(session_makes_it_the_leader_of_a_new_one);
  run(pgroup_makes_or_joins_a_group);
  run(ctty_becomes_its_controlling_terminal);
  run(foreground_gives_its_group_the_terminal);
  run(starts_in_its_cgroup);
  run(what_is_no_cgroup_is_reported);
  run(runs_as_the_user_and_groups_asked_for);
  run(does_not_make_us_dumpable);
  run(no_new_privs_is_set);
  run(cwd_is_where_it_starts);
  run(chroot_comes_before_cwd);
  run(umask_is_its_own);
  run(nice_is_a_value_and_no_increment);
  run(limits_are_set);
  run(a_low_limit_leaves_high_targets_alone);
  run(oom_score_adj_is_its_own);
  run(cpus_are_those_asked_for);
  run(pdeathsig_ends_it_with_us);
  run(failures_say_what_failed);
  run(failures_without_privilege_say_what_failed);
  run(running_out_of_processes_is_reported);
}

int main(void) {
  if (lv_spawner_new(&spawner, true) != 0) return 1;
  for (int i = 0; i < KERNELS; i++) {
    printf("# kernel: %s\n", kernels[i].name);
    lv_spawner_pretend(spawner, kernels[i].lacks);
    run_on_each_kernel();
  }
  lv_spawner_free(spawner);
  return tap_done();
}
