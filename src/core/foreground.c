/* core/foreground.c — Job control for one child at a time. See foreground.h.
 */
#include "core/foreground.h"

#include "os/fd.h"

#include <signal.h>
#include <unistd.h>

/* A background process that sets the foreground group is stopped by SIGTTOU,
 * unless it blocks it (tcsetpgrp(3)). */
static void set_group(int tty, pid_t group) {
  sigset_t ttou, old;
  sigemptyset(&ttou);
  sigaddset(&ttou, SIGTTOU);
  sigprocmask(SIG_BLOCK, &ttou, &old);
  tcsetpgrp(tty, group);
  sigprocmask(SIG_SETMASK, &old, NULL);
}

/* The child was stopped, as by ^Z: so are we, for the shell that waits for us;
 * and when it continues us, the child goes on with the terminal. */
static void stop_together(lv_foreground *f) {
  set_group(f->tty, getpgrp());
  raise(SIGSTOP);
  set_group(f->tty, f->p->pid);
  lv_proc_signal_group(f->p, SIGCONT);
}

static void on_sigchld(void *arg, int signum, unsigned times) {
  lv_foreground *f = arg;
  (void)signum, (void)times;
  if (f->p && !f->p->ended && lv_child_stopped(f->p->pid, f->p->pidfd) == 1)
    stop_together(f);
}

bool lv_foreground_is_free(lv_rt *rt, int tty) {
  return rt->foreground == NULL && tcgetpgrp(tty) == getpgrp();
}

void lv_foreground_init(lv_foreground *f) {
  *f = (lv_foreground){.tty = -1};
}

void lv_foreground_begin(lv_foreground *f, lv_proc *p, int tty) {
  f->p = p;
  f->tty = lv_fd_dup(tty);
  p->rt->foreground = f;
  lv_sub_add(&p->rt->sigs, &f->sub, SIGCHLD, on_sigchld, f);
}

bool lv_foreground_end(lv_foreground *f) {
  if (f->p == NULL) return false;
  lv_rt *rt = f->p->rt;
  f->p = NULL;
  rt->foreground = NULL;
  lv_sub_del(&rt->sigs, &f->sub, SIGCHLD);
  set_group(f->tty, getpgrp());
  lv_fd_close(&f->tty);
  return true;
}
