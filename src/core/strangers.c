/* core/strangers.c — See strangers.h.
 *
 * Never waitpid(-1): it would take the status of a child that a lv_proc waits
 * for. SIGCHLD makes us look, without reaping, at who has ended; one of ours is
 * settled by its own code, a stranger is reaped by its own number. That is done
 * when the loop has told all of ours that have a pidfd: each look costs the
 * kernel a walk over all children. A child of ours that is held as a zombie
 * hides those behind it: then /proc says who they are. */
#include "core/strangers.h"

#include "core/proc.h"
#include "os/proctree.h"

#include <errno.h>
#include <math.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Whoever watches this child: one who has not seen its end, if there is one. */
static lv_proc *find_watcher(lv_rt *rt, pid_t pid) {
  lv_proc *found = NULL;
  for (lv_list *at = rt->procs.next; at != &rt->procs; at = at->next) {
    lv_proc *p = LV_OF(at, lv_proc, link);
    if (p->pid == pid && (found == NULL || found->ended)) found = p;
  }
  return found;
}

static void reap(pid_t pid) {
  siginfo_t info;
  waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
}

int lv_strangers_list(lv_pids *to, lv_rt *rt, const lv_proctree *all) {
  lv_pids children = {0}, started = {0};
  int rc = lv_proctree_children(&children, getpid(), all);
  for (lv_list *at = rt->procs.next; rc == 0 && at != &rt->procs;
       at = at->next) {
    const lv_proc *p = LV_OF(at, lv_proc, link);
    if (!p->adopted) rc = lv_pids_add(&started, p->pid);
  }
  lv_pids_sort(&started);
  for (size_t i = 0; rc == 0 && i < children.n; i++)
    if (!lv_pids_has(&started, children.list[i]))
      rc = lv_pids_add(to, children.list[i]);
  lv_pids_fini(&children);
  lv_pids_fini(&started);
  return rc;
}

static void reap_strangers(lv_rt *rt) {
  lv_pids strangers = {0};
  lv_proctree all = {0};
  bool listed = lv_proc_lists_children();
  if (!listed) lv_proctree_all(&all); /* as many as there is memory for */
  lv_strangers_list(&strangers, rt, listed ? NULL : &all);
  for (size_t i = 0; i < strangers.n; i++) {
    lv_proc *p = find_watcher(rt, strangers.list[i]);
    if (p == NULL)
      reap(strangers.list[i]);
    else if (!p->ended)
      lv_proc_look(p);
  }
  lv_proctree_fini(&all);
  lv_pids_fini(&strangers);
}

/* What is left, as far as is known. */
typedef enum { NOBODY, MORE, OURS } rest;

/* Up to so many strangers, unless so many of ours are in their way: of those
 * their pidfds will tell, and each was a walk over all. */
static rest reap_some(lv_rt *rt, int most, int ours) {
  while (most > 0 && ours > 0) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0) return NOBODY;
    if (info.si_pid == 0) return NOBODY;
    lv_proc *p = find_watcher(rt, info.si_pid);
    if (p && p->ended) {
      reap_strangers(rt);
      return NOBODY;
    }
    if (p) {
      lv_proc_look(p);
      ours--;
    } else {
      reap(info.si_pid);
      most--;
    }
  }
  return ours > 0 ? MORE : OURS;
}

enum { AT_ONCE = 256, IN_THE_WAY = 8, ALL = 1 << 16 };

/* Nobody waits for the end of a stranger, and each look is a walk over all of
 * our children: one serves all that end at about the same time, and all looks
 * together take a fiftieth of our time. */
static const double SOONEST = 0.05, LATEST = 1;
enum { REST = 50 };

static double processor_time(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int look_later(lv_rt *rt) {
  double delay = fmin(fmax(rt->look_rest, SOONEST), LATEST);
  return lv_timer_start(&rt->timers, &rt->look, delay);
}

/* However fast they come, others have their turn. */
static void look(lv_timer *timer) {
  lv_rt *rt = LV_OF(timer, lv_rt, look);
  double began = processor_time();
  rest left = reap_some(rt, AT_ONCE, IN_THE_WAY);
  rt->look_rest = REST * (processor_time() - began);
  if (left == MORE) lv_timer_start(&rt->timers, timer, 0);
  if (left == OURS) look_later(rt);
}

static void on_sigchld(void *arg, int signum, unsigned times) {
  lv_rt *rt = arg;
  (void)signum, (void)times;
  if (lv_timer_is_running(&rt->look)) return;
  if (look_later(rt) < 0) look(&rt->look);
}

int lv_strangers_adopt(lv_rt *rt) {
  if (rt->subreapers > 0) {
    rt->subreapers++;
    return 0;
  }
  int rc = prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
  if (rc == 0)
    rc = lv_sub_add(&rt->sigs, &rt->orphans, SIGCHLD, on_sigchld, rt);
  if (rc < 0) return rc;
  rt->subreapers = 1;
  rt->look.fn = look;
  look(&rt->look); /* what came before */
  return 0;
}

void lv_strangers_leave(lv_rt *rt) {
  if (--rt->subreapers > 0) return;
  reap_some(rt, ALL, ALL);
  lv_timer_stop(&rt->timers, &rt->look);
  lv_sub_del(&rt->sigs, &rt->orphans, SIGCHLD);
  prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

bool lv_strangers_come(const lv_rt *rt) {
  return rt->subreapers > 0;
}
