/* core/foreground.c — Job control for one child at a time. See foreground.h.
 *
 * rt->lent_tty is our descriptor of the terminal as long as the child's group
 * is its foreground. We are a job of some shell ourselves: it may continue us
 * in the background, and then the terminal is not ours to give or to take. */
#include "core/foreground.h"

#include "os/fd.h"
#include "os/group.h"

#include <signal.h>
#include <unistd.h>

static void lend(lv_foreground *f) {
  lv_group_set_foreground(f->tty, f->p->pid);
  f->rt->lent_tty = f->tty;
}

static bool take_back(lv_foreground *f) {
  if (f->rt->lent_tty < 0) return false;
  f->rt->lent_tty = -1;
  lv_group_set_foreground(f->tty, getpgrp());
  return true;
}

/* We go on: with the terminal, if the shell has given it to us. */
static void go_on(lv_foreground *f) {
  pid_t group = tcgetpgrp(f->tty);
  if (group == f->p->pid) return;
  f->rt->lent_tty = -1;
  if (group == getpgrp()) lend(f);
  lv_proc_signal_group(f->p, SIGCONT);
}

/* As ^Z would do to us: our whole job stops, and the kernel sees to it that
 * nothing stops where there is no shell that could continue it. */
static void stop_ourselves(void) {
  struct sigaction by_default = {.sa_handler = SIG_DFL}, old;
  sigaction(SIGTSTP, &by_default, &old);
  kill(0, SIGTSTP);
  sigaction(SIGTSTP, &old, NULL);
}

/* The child was stopped, as by ^Z: so are we, for the shell that waits for us;
 * and when it continues us, the child goes on. */
static void on_stop(lv_proc *p, void *arg) {
  (void)p;
  lv_foreground *f = arg;
  take_back(f);
  stop_ourselves();
  go_on(f);
}

static void on_cont(void *arg, int signum, unsigned times) {
  (void)signum, (void)times;
  go_on(arg);
}

bool lv_foreground_is_free(const lv_rt *rt, int tty) {
  return rt->lent_tty < 0 && tcgetpgrp(tty) == getpgrp();
}

void lv_foreground_init(lv_foreground *f) {
  *f = (lv_foreground){.tty = -1};
}

void lv_foreground_begin(lv_foreground *f, lv_proc *p, int tty) {
  f->rt = p->rt;
  f->p = p;
  f->tty = tty;
  f->rt->lent_tty = tty;
  lv_sub_add(&f->rt->sigs, &f->sub, SIGCONT, on_cont, f);
  lv_proc_tell_stops(p, on_stop, f);
}

bool lv_foreground_end(lv_foreground *f) {
  if (f->p == NULL) return false;
  f->p = NULL;
  lv_sub_del(&f->rt->sigs, &f->sub, SIGCONT);
  bool had_it = take_back(f);
  lv_fd_close(&f->tty);
  return had_it;
}
