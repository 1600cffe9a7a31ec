/* core/proc.c — Children, each known by its pidfd.
 *
 * The pidfd becomes readable at the exit; the status is then read without
 * reaping if somebody may still signal the group, because a group has no pidfd:
 * its number is safe only while the leader's zombie holds it. Without pidfds,
 * SIGCHLD makes us ask after each child by its own number; never after any, for
 * children may be others' business too. */
#include "core/proc.h"

#include "os/fd.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void on_sigchld(void *arg, int signum, unsigned times);

static void want_sigchld(lv_rt *rt, bool on) {
  if (on && rt->need_sigchld++ == 0)
    lv_sub_add(&rt->sigs, &rt->sigchld, SIGCHLD, on_sigchld, rt);
  if (!on && --rt->need_sigchld == 0)
    lv_sub_del(&rt->sigs, &rt->sigchld, SIGCHLD);
}

static void free_if_done(lv_proc *p) {
  if (p->owned || !p->reaped) return;
  lv_list_del(&p->link);
  free(p);
}

static void stop_watching(lv_proc *p) {
  if (p->watch)
    lv_watch_close(p->watch);
  else if (p->ours)
    want_sigchld(p->rt, false);
  p->watch = NULL;
}

static void reap(lv_proc *p) {
  lv_exit ignored;
  if (p->ours && !p->lost) lv_child_reap(p->pid, p->pidfd, &ignored);
  p->reaped = true;
  lv_fd_close(&p->pidfd);
  lv_list_del(&p->link);
}

/* Ask whether it has ended, and if so how. */
static void look(lv_proc *p) {
  int rc = p->holds > 0 ? lv_child_peek(p->pid, p->pidfd, &p->exit)
                        : lv_child_reap(p->pid, p->pidfd, &p->exit);
  if (rc == 0 && p->ours) return;
  if (rc <= 0) p->lost = rc < 0 ? rc : -ECHILD;
  p->ended = true;
  p->finished = uv_hrtime();
  stop_watching(p);
  if (p->holds == 0 || p->lost) {
    p->reaped = true;
    lv_fd_close(&p->pidfd);
    lv_list_del(&p->link);
  }
  if (p->fn) p->fn(p, p->arg);
  free_if_done(p);
}

static void on_pidfd(void *arg, int events) {
  (void)events;
  look(arg);
}

static void on_sigchld(void *arg, int signum, unsigned times) {
  lv_rt *rt = arg;
  (void)signum, (void)times;
  lv_list now;
  lv_list_take(&now, &rt->procs);
  lv_list *node;
  while ((node = lv_list_pop(&now)) != NULL) {
    lv_list_push(&rt->procs, node);
    lv_proc *p = LV_OF(node, lv_proc, link);
    if (p->pidfd < 0 && !p->ended) look(p);
  }
}

/* Once a child runs, nothing may fail that would lose it: what can is done
 * before, or ends it again. */
static int watch(lv_proc *p) {
  if (p->pidfd < 0) {
    want_sigchld(p->rt, true);
    return 0;
  }
  int rc = lv_watch_open(&p->watch, &p->rt->loop, p->pidfd, false, on_pidfd, p);
  return rc < 0 ? rc : lv_watch_set(p->watch, UV_READABLE);
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
  lv_watch_close(p->watch);
  lv_fd_close(&p->pidfd);
  lv_list_del(&p->link);
  free(p);
}

static int kill_unwatched(lv_proc *p, int rc) {
  lv_exit ignored;
  lv_child_signal(p->pid, p->pidfd, SIGKILL);
  while (lv_child_reap(p->pid, p->pidfd, &ignored) == 0) continue;
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
  for (size_t i = 0; i < n; i++) limits[i] = opts->limits[i];
  limits[n] = (lv_limit){RLIMIT_NOFILE, rt->nofile};
  lv_spawn_opts with = *opts;
  with.limits = limits;
  with.nlimits = n + 1;
  return lv_spawn(rt->spawner, &with, child);
}

int lv_proc_start(lv_proc **out, lv_rt *rt, const lv_spawn_opts *opts,
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

int lv_proc_adopt(lv_proc **out, lv_rt *rt, pid_t pid) {
  if (!rt->pidfds) return -ENOSYS;
  int fd = lv_pidfd_open(pid);
  if (fd < 0) return fd;
  lv_proc *p = make(rt);
  if (p == NULL) {
    lv_fd_close(&fd);
    return -ENOMEM;
  }
  p->pid = pid;
  p->pidfd = fd;
  p->detached = true;
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

void lv_proc_release(lv_proc *p) {
  assert(p->holds > 0);
  if (--p->holds == 0 && p->ended && !p->reaped) reap(p);
}

void lv_proc_disown(lv_proc *p) {
  p->owned = false;
  p->fn = NULL;
  free_if_done(p);
}

void lv_procs_kill(lv_rt *rt) {
  for (lv_list *at = rt->procs.next; at != &rt->procs; at = at->next) {
    lv_proc *p = LV_OF(at, lv_proc, link);
    if (p->detached || p->reaped) continue;
    lv_proc_signal_group(p, SIGKILL);
    lv_proc_signal(p, SIGKILL);
  }
}
