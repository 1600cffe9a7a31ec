/* os/guard.c — See guard.h.
 *
 * It sleeps until the supervisor is gone. One that ends in order kills its
 * guard first; so if the guard wakes up, nobody else cares for what runs. It
 * stops first whom it finds, so that nobody can fork, until a look at /proc
 * finds nobody new; then it kills all of them. What is below one that is found
 * belongs to it, too. It is done when two looks in a row find nobody and have
 * missed nobody. */
#include "os/guard.h"

#include "os/cgroup.h"
#include "os/fd.h"
#include "os/pidfd.h"
#include "os/proctree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* ---- the supervisor's side ---- */

int lv_guard_notes_new(const lv_guard_notes *notes) {
  int fd = memfd_create("luvisor-guard", MFD_CLOEXEC);
  if (fd < 0) return -errno;
  if (pwrite(fd, notes, sizeof *notes, 0) == sizeof *notes) return fd;
  int rc = -errno;
  close(fd);
  return rc;
}

int lv_guard_notes_set(int fd, size_t slot, pid_t session) {
  off_t at = (off_t)(sizeof(lv_guard_notes) + slot * sizeof session);
  ssize_t n = pwrite(fd, &session, sizeof session, at);
  return n == sizeof session ? 0 : -errno;
}

int lv_guard_watch(int fds[2], bool use_pidfd) {
  fds[1] = -1;
  fds[0] = use_pidfd ? lv_pidfd_open(getpid()) : -ENOSYS;
  return fds[0] >= 0 ? 0 : lv_fd_pipe(fds);
}

/* ---- whom to kill ---- */

typedef struct {
  const char *run, *dir; /* of a cgroup, or NULL */
  lv_pids sessions;
  lv_pids members; /* of the cgroup, now */
  lv_pids dead;    /* that the last look has seen */
  bool unsure;     /* one is just being executed: nobody can say what it will
                      be; or has ended: it may have left a child that is not
                      seen */
} wanted;

/* Outside of any session are the kernel's threads, which have no environment
 * for other reasons. */
static bool has_run(wanted *w, const lv_procstat *p) {
  char *value;
  int rc = lv_proc_env(p->pid, "LUVISOR_RUN", &value);
  bool has_gone = (rc == -ENOENT || rc == -ESRCH) && p->session != 0;
  if (rc == -EAGAIN || has_gone) w->unsure = true;
  bool is_same = value && strcmp(value, w->run) == 0;
  free(value);
  return is_same;
}

static bool is_wanted(wanted *w, const lv_procstat *p) {
  if (p->pid == 1 || p->pid == getpid() || lv_procstat_is_dead(p)) return false;
  return lv_pids_has(&w->sessions, p->session) ||
         lv_pids_has(&w->members, p->pid) || has_run(w, p);
}

/* What runs ahead of us, each generation leaving a child and its life, cannot
 * do so unseen: either it is there, or somebody has just ended. */
static void note_dead(wanted *w, const lv_proctree *all) {
  lv_pids dead = {0};
  for (size_t i = 0; i < all->n; i++) {
    if (!lv_procstat_is_dead(&all->list[i])) continue;
    pid_t pid = all->list[i].pid;
    if (!lv_pids_has(&w->dead, pid)) w->unsure = true;
    lv_pids_add(&dead, pid);
  }
  lv_pids_sort(&dead);
  lv_pids_fini(&w->dead);
  w->dead = dead;
}

/* Those below one that is ours are ours. */
static void take_below(const lv_proctree *all, bool *ours, lv_pids *queue) {
  while (queue->n > 0) {
    pid_t parent = queue->list[--queue->n];
    size_t i = lv_proctree_first(all, parent);
    for (; i < all->n && all->list[i].ppid == parent; i++)
      if (!ours[i] && !lv_procstat_is_dead(&all->list[i]))
        ours[i] = lv_pids_add(queue, all->list[i].pid) == 0;
  }
}

/* Who there is of them, in *found. 0 or -errno. */
static int look(wanted *w, lv_proctree *found) {
  lv_proctree all = {0};
  lv_pids queue = {0};
  w->members.n = 0;
  if (w->dir) lv_cgroup_members(&w->members, w->dir);
  lv_pids_sort(&w->members);
  int rc = lv_proctree_all(&all);
  w->unsure = all.lost_some;
  note_dead(w, &all);
  bool *ours = rc == 0 ? calloc(all.n + 1, sizeof *ours) : NULL;
  for (size_t i = 0; ours && i < all.n; i++) {
    const lv_procstat *p = &all.list[i];
    ours[i] = is_wanted(w, p) && lv_pids_add(&queue, p->pid) == 0;
  }
  if (ours) take_below(&all, ours, &queue);
  size_t n = 0;
  for (size_t i = 0; ours && i < all.n; i++)
    if (ours[i] && all.list[i].pid != getpid()) all.list[n++] = all.list[i];
  if (rc == 0 && ours == NULL) rc = -ENOMEM;
  all.n = n;
  *found = all;
  free(ours);
  lv_pids_fini(&queue);
  return rc;
}

/* ---- killing ---- */

static void rest(long milliseconds) {
  const struct timespec time = {.tv_nsec = milliseconds * 1000000L};
  nanosleep(&time, NULL);
}

/* Those that were not there before. */
static size_t stop_fresh(const lv_proctree *found, lv_pids *stopped) {
  size_t fresh = 0;
  for (size_t i = 0; i < found->n; i++) {
    const lv_procstat *p = &found->list[i];
    if (lv_pids_has(stopped, p->pid)) continue;
    lv_proc_signal_exactly(p->pid, p->start, SIGSTOP);
    fresh++;
  }
  for (size_t i = 0; fresh > 0 && i < found->n; i++)
    if (!lv_pids_has(stopped, found->list[i].pid))
      lv_pids_add(stopped, found->list[i].pid);
  return fresh;
}

typedef struct {
  char text[600];
  size_t n;
  int killed;
  lv_pids told;
} report;

static void tell(report *r, const lv_procstat *p) {
  if (lv_pids_has(&r->told, p->pid)) return;
  lv_pids_add(&r->told, p->pid);
  lv_pids_sort(&r->told);
  r->killed++;
  char *to = r->text + r->n;
  size_t room = sizeof r->text - r->n;
  int n = snprintf(to, room, "%s%s (%d)", r->n > 0 ? ", " : "", p->comm,
                   (int)p->pid);
  if (n > 0 && (size_t)n < room) r->n += (size_t)n;
}

/* By number and start, for it may be dead by now and the number another's. */
static void kill_all(const lv_proctree *found, report *r) {
  for (size_t i = 0; i < found->n; i++) {
    const lv_procstat *p = &found->list[i];
    lv_proc_signal_exactly(p->pid, p->start, SIGKILL);
    tell(r, p);
  }
}

/* QUIET looks in a row must find nobody and be sure, or CALM ones, for on a busy
 * machine somebody is always just ending. */
enum { ROUNDS = 2000, FREEZES = 20, QUIET = 2, CALM = 20 };

static void hunt(wanted *w, report *r) {
  lv_pids stopped = {0};
  int quiet = 0, calm = 0, frozen = 0;
  for (int round = 0; quiet < QUIET && calm < CALM && round < ROUNDS; round++) {
    lv_proctree found = {0};
    bool nobody = look(w, &found) == 0 && found.n == 0;
    calm = nobody ? calm + 1 : 0;
    quiet = nobody && !w->unsure ? quiet + 1 : 0;
    bool fresh = stop_fresh(&found, &stopped) > 0;
    lv_pids_sort(&stopped);
    if (!fresh || ++frozen > FREEZES) {
      kill_all(&found, r);
      rest(calm > 0 || round < 10 ? 1 : 20);
    }
    lv_proctree_fini(&found);
  }
  lv_pids_fini(&stopped);
}

/* ---- cgroups ---- */

static void name_members(const char *dir, report *r) {
  lv_pids members = {0};
  lv_cgroup_members(&members, dir);
  for (size_t i = 0; i < members.n; i++) {
    lv_procstat stat;
    bool alive = lv_procstat_read(&stat, members.list[i]) == 0 &&
                 !lv_procstat_is_dead(&stat);
    if (alive) tell(r, &stat);
  }
  lv_pids_fini(&members);
}

static void kill_cgroup(const char *dir, report *r) {
  name_members(dir, r);
  lv_cgroup_kill(dir);
}

/* What is dead leaves its cgroup a moment later. */
static void remove_cgroup(const char *dir, const char *parent) {
  for (int i = 0; i < 100 && lv_cgroup_remove(dir) < 0; i++)
    rest(5);
  lv_cgroup_remove(parent);
}

/* ---- the guard ---- */

static void read_sessions(lv_pids *to) {
  pid_t session;
  off_t at = sizeof(lv_guard_notes);
  while (pread(LV_GUARD_NOTES, &session, sizeof session, at) ==
         sizeof session) {
    if (session > 0) lv_pids_add(to, session);
    at += (off_t)sizeof session;
  }
  lv_pids_sort(to);
}

static void clear(const lv_guard_notes *notes) {
  report r = {.n = 0};
  char *dir = NULL;
  if (*notes->cgroup && asprintf(&dir, "%s/kill", notes->cgroup) < 0)
    dir = NULL;
  wanted w = {.run = notes->run, .dir = dir};
  read_sessions(&w.sessions);
  if (dir) kill_cgroup(dir, &r);
  hunt(&w, &r);
  if (dir) remove_cgroup(dir, notes->cgroup);
  if (r.killed > 0)
    dprintf(2,
            "luvisor: killed by somebody; its guard has killed what was "
            "left of its services: %s%s\n",
            r.text, r.n + 64 > sizeof r.text ? " …" : "");
  free(dir);
  lv_pids_fini(&r.told);
  lv_pids_fini(&w.sessions);
  lv_pids_fini(&w.members);
  lv_pids_fini(&w.dead);
}

/* The last to go when memory is short; where we may not, like the others. */
static void ask_to_be_spared(void) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : write(fd, "-1000", 5);
  (void)n;
  lv_fd_close(&fd);
}

int lv_guard_main(void) {
  lv_guard_notes notes;
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  prctl(PR_SET_NAME, LV_GUARD_NAME);
  ask_to_be_spared();
  if (pread(LV_GUARD_NOTES, &notes, sizeof notes, 0) != sizeof notes) return 2;
  struct pollfd watched = {.fd = LV_GUARD_WATCHED, .events = POLLIN};
  while (poll(&watched, 1, -1) <= 0) {
  }
  clear(&notes);
  return 0;
}
