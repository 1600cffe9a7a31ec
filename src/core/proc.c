/* core/proc.c — Children, each known by its pidfd.
 *
 * The pidfd becomes readable at the exit; the status is then read without
 * reaping if somebody may still signal the group, because a group has no pidfd:
 * its number is safe only while the leader's zombie holds it. Without pidfds,
 * or where one cannot tell, SIGCHLD makes us ask after each child by its own
 * number; never after any, for children may be others' business too.
 *
 * The second INT kills all from a signal handler (lv_sigs_on_last): it is held
 * back wherever the list changes, or a number is known that is not in it. */
#include "core/proc.h"

#include "os/fd.h"
#include "os/group.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_sigchld(void *arg, int signum, unsigned times);

/* What came before the handler was there is asked after, as if it had come
 * now: a child may end before its parent has a look. */
static int need_sigchld(lv_rt *rt) {
  if (rt->need_sigchld == 0) {
    int rc = lv_sub_add(&rt->sigs, &rt->sigchld, SIGCHLD, on_sigchld, rt);
    if (rc < 0) return rc;
    raise(SIGCHLD);
  }
  rt->need_sigchld++;
  return 0;
}

static void release_sigchld(lv_rt *rt) {
  if (--rt->need_sigchld == 0) lv_sub_del(&rt->sigs, &rt->sigchld, SIGCHLD);
}

static void free_if_done(lv_proc *p) {
  if (p->owned || !p->reaped) return;
  lv_list_del(&p->link);
  free(p);
}

static void stop_watching(lv_proc *p) {
  if (lv_spot_is_on(&p->spot))
    lv_spot_off(&p->spot);
  else if (!p->ended)
    release_sigchld(p->rt);
  lv_proc_tell_stops(p, NULL, NULL);
}

/* Its number is nobody's business any more. */
static void leave(lv_proc *p) {
  p->reaped = true;
  lv_fd_close(&p->pidfd);
  lv_list_del(&p->link);
  if (p->same) lv_proc_release(p->same);
  p->same = NULL;
}

/* Ask whether it has ended, and if so how. False: not yet. */
static bool look(lv_proc *p) {
  bool keep = p->holds > 0 || p->same;
  int rc = keep ? lv_child_peek(p->pid, p->pidfd, &p->exit)
                : lv_child_reap(p->pid, p->pidfd, &p->exit);
  if (rc >= 0) p->ours = true; /* an orphan that we adopted became our child */
  if (rc == 0) return false;
  if (rc < 0) p->lost = rc;
  stop_watching(p);
  p->ended = true;
  p->finished = uv_hrtime();
  if (p->holds == 0 || p->lost) leave(p);
  if (p->fn) p->fn(p, p->arg);
  free_if_done(p);
  return true;
}

void lv_proc_look(lv_proc *p) {
  lv_sigs_hold();
  look(p);
  lv_sigs_release();
}

/* What a debugger traces is its zombie first: the pidfd is readable, but the
 * end is not ours to see until SIGCHLD tells of it. */
static void on_pidfd(void *arg) {
  lv_proc *p = arg;
  lv_sigs_hold();
  if (!look(p) && need_sigchld(p->rt) == 0) lv_spot_off(&p->spot);
  lv_sigs_release();
}

/* Nothing that is called here takes another process out of the list. */
static void on_sigchld(void *arg, int signum, unsigned times) {
  lv_rt *rt = arg;
  (void)signum, (void)times;
  lv_sigs_hold();
  for (lv_list *at = rt->procs.next, *next; at != &rt->procs; at = next) {
    next = at->next;
    lv_proc *p = LV_OF(at, lv_proc, link);
    if (p->ended) continue;
    if (p->stop_fn && lv_child_stopped(p->pid, p->pidfd))
      p->stop_fn(p, p->stop_arg);
    if (!lv_spot_is_on(&p->spot)) look(p);
  }
  lv_sigs_release();
}

void lv_proc_tell_stops(lv_proc *p, lv_proc_fn fn, void *arg) {
  bool was = p->stop_fn != NULL;
  if (fn && !was && need_sigchld(p->rt) < 0) return; /* nobody will tell */
  p->stop_fn = fn;
  p->stop_arg = arg;
  if (was && !fn) release_sigchld(p->rt);
}

/* Once a child runs, nothing may fail that would lose it: what can is done
 * before, or ends it again. */
static int watch(lv_proc *p) {
  if (p->pidfd < 0) return need_sigchld(p->rt);
  p->spot = (lv_spot){.fn = on_pidfd, .arg = p};
  return lv_spot_on(&p->spot, &p->rt->seldom, p->pidfd);
}

static lv_proc *make(lv_rt *rt) {
  lv_proc *p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  p->rt = rt;
  p->pidfd = -1;
  p->owned = true;
  p->started = uv_hrtime();
  lv_list_push(&rt->procs, &p->link);
  return p;
}

static void unmake(lv_proc *p) {
  lv_spot_off(&p->spot);
  leave(p);
  free(p);
}

static int kill_unwatched(lv_proc *p, int rc) {
  lv_child_signal(p->pid, p->pidfd, SIGKILL);
  while (waitpid(p->pid, NULL, 0) == -1 && errno == EINTR) {
  }
  unmake(p);
  return rc;
}

static int spawn(lv_rt *rt, const lv_spawn_opts *opts, lv_spawned *child) {
  enum { MOST = 32 };
  lv_limit limits[MOST];
  size_t n = opts->nlimits;
  bool has_nofile = n >= MOST - 1;
  for (size_t i = 0; i < n && !has_nofile; i++)
    has_nofile = opts->limits[i].resource == RLIMIT_NOFILE;
  if (has_nofile || rt->nofile.rlim_cur == rt->nofile.rlim_max)
    return lv_spawn(rt->spawner, opts, child);
  for (size_t i = 0; i < n; i++)
    limits[i] = opts->limits[i];
  limits[n] = (lv_limit){RLIMIT_NOFILE, rt->nofile};
  lv_spawn_opts with = *opts;
  with.limits = limits;
  with.nlimits = n + 1;
  return lv_spawn(rt->spawner, &with, child);
}

static int start(lv_proc **out, lv_rt *rt, const lv_spawn_opts *opts,
                 const char **op) {
  lv_proc *p = make(rt);
  *op = "spawn";
  if (p == NULL) return -ENOMEM;
  lv_spawned child = {.pid = -1, .pidfd = -1};
  int rc = spawn(rt, opts, &child);
  if (rc < 0) {
    *op = child.op ? child.op : "spawn";
    unmake(p);
    return rc;
  }
  p->pid = child.pid;
  p->pidfd = child.pidfd;
  p->ours = true;
  p->leader = opts->session || opts->pgroup == 0;
  rc = watch(p);
  if (rc < 0) return kill_unwatched(p, rc);
  *out = p;
  return 0;
}

int lv_proc_start(lv_proc **out, lv_rt *rt, const lv_spawn_opts *opts,
                  const char **op) {
  lv_sigs_hold();
  int rc = start(out, rt, opts, op);
  lv_sigs_release();
  return rc;
}

static lv_proc *find(lv_rt *rt, pid_t pid) {
  for (lv_list *at = rt->procs.next; at != &rt->procs; at = at->next) {
    lv_proc *p = LV_OF(at, lv_proc, link);
    if (p->pid == pid && (p->ours || !p->ended)) return p;
  }
  return NULL;
}

static int adopt(lv_proc **out, lv_rt *rt, pid_t pid) {
  lv_proc *same = find(rt, pid);
  int fd = lv_pidfd_open(pid);
  if (fd < 0) return fd;
  lv_proc *p = make(rt);
  if (p == NULL) {
    lv_fd_close(&fd);
    return -ENOMEM;
  }
  p->pid = pid;
  p->pidfd = fd;
  p->detached = p->adopted = true;
  p->same = same;
  if (same) lv_proc_hold(same);
  lv_exit ignored;
  p->ours = lv_child_peek(pid, fd, &ignored) >= 0;
  int rc = watch(p);
  if (rc < 0) {
    unmake(p);
    return rc;
  }
  *out = p;
  return 0;
}

/* If somebody watches it already, as a child that we have started, it must not
 * be reaped before both have seen how it ended. */
int lv_proc_adopt(lv_proc **out, lv_rt *rt, pid_t pid) {
  if (!rt->pidfds) return -ENOSYS;
  lv_sigs_hold();
  int rc = adopt(out, rt, pid);
  lv_sigs_release();
  return rc;
}

int lv_proc_signal(lv_proc *p, int signum) {
  if (p->ended) return -ESRCH;
  return lv_child_signal(p->pid, p->pidfd, signum);
}

int lv_proc_signal_group(lv_proc *p, int signum) {
  if (!p->leader) return lv_proc_signal(p, signum);
  if (p->reaped) return -ESRCH;
  return kill(-p->pid, signum) < 0 ? -errno : 0;
}

void lv_proc_hold(lv_proc *p) {
  p->holds++;
}

/* Nobody owns it, and we have nothing to reap. A stranger is its parent's. */
static bool is_dropped(const lv_proc *p) {
  return !p->owned && !p->reaped && p->holds == 0 && (!p->ours || p->same);
}

static void drop(lv_proc *p) {
  stop_watching(p);
  leave(p);
}

void lv_proc_release(lv_proc *p) {
  assert(p->holds > 0);
  if (--p->holds > 0 || p->reaped) return;
  lv_exit ignored;
  lv_sigs_hold();
  if (p->ended) {
    if (p->ours && !p->same) lv_child_reap(p->pid, p->pidfd, &ignored);
    leave(p);
  } else if (is_dropped(p)) {
    drop(p);
  }
  free_if_done(p);
  lv_sigs_release();
}

void lv_proc_disown(lv_proc *p) {
  p->owned = false;
  p->fn = NULL;
  lv_proc_tell_stops(p, NULL, NULL);
  lv_sigs_hold();
  if (is_dropped(p)) drop(p);
  free_if_done(p);
  lv_sigs_release();
}

void lv_procs_kill(lv_rt *rt) {
  for (lv_list *at = rt->procs.next; at != &rt->procs; at = at->next) {
    lv_proc *p = LV_OF(at, lv_proc, link);
    if (p->detached || p->reaped || p->pid == 0) continue;
    lv_proc_signal_group(p, SIGKILL);
    lv_proc_signal(p, SIGKILL);
  }
  if (rt->lent_tty >= 0) lv_group_set_foreground(rt->lent_tty, getpgrp());
}

void lv_procs_forget(lv_rt *rt) {
  lv_list *at;
  while ((at = lv_list_pop(&rt->procs)) != NULL) {
    lv_proc *p = LV_OF(at, lv_proc, link);
    if (!p->ended) stop_watching(p);
    leave(p);
    assert(rt->procs.next != at && rt->procs.prev != at);
    free_if_done(p);
  }
}
