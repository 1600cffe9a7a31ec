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
#include <sys/prctl.h>
#include <sys/wait.h>
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

int lv_strangers_list(lv_pids *to, lv_rt *rt) {
  lv_pids all = {0}, started = {0};
  int rc = lv_proctree_children(&all, getpid());
  for (lv_list *at = rt->procs.next; rc == 0 && at != &rt->procs;
       at = at->next) {
    const lv_proc *p = LV_OF(at, lv_proc, link);
    if (!p->adopted) rc = lv_pids_add(&started, p->pid);
  }
  lv_pids_sort(&started);
  for (size_t i = 0; rc == 0 && i < all.n; i++)
    if (!lv_pids_has(&started, all.list[i])) rc = lv_pids_add(to, all.list[i]);
  lv_pids_fini(&all);
  lv_pids_fini(&started);
  return rc;
}

static void reap_strangers(lv_rt *rt) {
  lv_pids strangers = {0};
  lv_strangers_list(&strangers, rt); /* as many as there was memory for */
  for (size_t i = 0; i < strangers.n; i++) {
    lv_proc *p = find_watcher(rt, strangers.list[i]);
    if (p == NULL)
      reap(strangers.list[i]);
    else if (!p->ended)
      lv_proc_look(p);
  }
  lv_pids_fini(&strangers);
}

static void look(lv_timer *timer) {
  lv_rt *rt = LV_OF(timer, lv_rt, look);
  for (;;) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0) return;
    if (info.si_pid == 0) return;
    lv_proc *p = find_watcher(rt, info.si_pid);
    if (p == NULL) {
      reap(info.si_pid);
    } else if (p->ended) {
      reap_strangers(rt);
      return;
    } else {
      lv_proc_look(p);
    }
  }
}

static void on_sigchld(void *arg, int signum, unsigned times) {
  lv_rt *rt = arg;
  (void)signum, (void)times;
  if (lv_timer_start(&rt->timers, &rt->look, 0) < 0) look(&rt->look);
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
  look(&rt->look);
  lv_timer_stop(&rt->timers, &rt->look);
  lv_sub_del(&rt->sigs, &rt->orphans, SIGCHLD);
  prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

bool lv_strangers_come(const lv_rt *rt) {
  return rt->subreapers > 0;
}
