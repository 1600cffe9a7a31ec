/* core/strangers.c — See strangers.h.
 *
 * Never waitpid(-1): it would take the status of a child that a lv_proc waits
 * for. SIGCHLD makes us look, without reaping, at who has ended; one of ours is
 * settled by its own code, a stranger is reaped by its own number. A child of
 * ours that is held as a zombie hides those behind it from waitid: then /proc
 * says who they are. */
#include "core/strangers.h"

#include "core/proc.h"
#include "os/proctree.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static lv_proc *find_ours(lv_rt *rt, pid_t pid) {
  for (lv_list *at = rt->procs.next; at != &rt->procs; at = at->next) {
    lv_proc *p = LV_OF(at, lv_proc, link);
    if (p->pid == pid && p->ours) return p;
  }
  return NULL;
}

static void reap(pid_t pid) {
  siginfo_t info;
  waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
}

static void reap_by_proc(lv_rt *rt) {
  lv_procstat *list;
  size_t n;
  if (lv_proctree_zombies(&list, &n, getpid()) < 0) return;
  for (size_t i = 0; i < n; i++)
    if (find_ours(rt, list[i].pid) == NULL) reap(list[i].pid);
  free(list);
}

static void on_sigchld(void *arg, int signum, unsigned times) {
  lv_rt *rt = arg;
  (void)signum, (void)times;
  for (;;) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0) return;
    if (info.si_pid == 0) return;
    lv_proc *ours = find_ours(rt, info.si_pid);
    if (ours == NULL) {
      reap(info.si_pid);
    } else if (ours->ended) {
      reap_by_proc(rt);
      return;
    } else {
      lv_proc_look(ours);
    }
  }
}

int lv_strangers_adopt(lv_rt *rt) {
  if (rt->subreapers++ > 0) return 0;
  int rc = prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
  if (rc == 0)
    rc = lv_sub_add(&rt->sigs, &rt->orphans, SIGCHLD, on_sigchld, rt);
  if (rc < 0)
    rt->subreapers--;
  else
    on_sigchld(rt, SIGCHLD, 1); /* what came before */
  return rc;
}

void lv_strangers_leave(lv_rt *rt) {
  if (--rt->subreapers > 0) return;
  lv_sub_del(&rt->sigs, &rt->orphans, SIGCHLD);
  if (getpid() != 1) prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}
