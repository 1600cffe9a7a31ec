/* core/runtime.c — Start-up and end of the process-wide things. See
 * runtime.h. */
#include "core/runtime.h"

#include "core/proc.h"
#include "core/strangers.h"
#include "os/fd.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WIDE = 1 << 20, MOST_WIDE = 16 };

/* capget(2) has no wrapper in libc. */
static bool has_sys_resource(void) {
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0}, {0}};
  if (syscall(SYS_capget, &head, data) < 0) return false;
  return (data[0].effective & (1U << CAP_SYS_RESOURCE)) != 0;
}

static void raise_nofile(struct rlimit *found) {
  if (getrlimit(RLIMIT_NOFILE, found) < 0) return;
  struct rlimit most = {found->rlim_max, found->rlim_max};
  setrlimit(RLIMIT_NOFILE, &most);
}

/* Before the spawner looks what we ignore. A parent may have left signals
 * blocked: we would be deaf to INT, TERM and the ends of children. */
static void take_signals(lv_rt *rt) {
  sigset_t mask;
  sigemptyset(&mask);
  if (getpid() == 1) {
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGHUP);
  }
  signal(SIGCHLD, SIG_DFL);
  lv_sigs_ignore(&rt->sigs, SIGPIPE, true);
  lv_sigs_ignore(&rt->sigs, SIGXFSZ, true); /* a log too big is -EFBIG */
  sigprocmask(SIG_SETMASK, &mask, NULL);
}

void lv_rt_hear(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

int lv_rt_init(lv_rt *rt, bool pidfds) {
  *rt = (lv_rt){.pidfds = pidfds, .lent_tty = -1};
  lv_fd_fill_standard();
  lv_list_init(&rt->procs);
  lv_list_init(&rt->writers);
  lv_list_init(&rt->gathering);
  int rc = uv_loop_init(&rt->loop);
  if (rc < 0) return rc;
  rc = lv_sigs_open(&rt->sigs, &rt->loop);
  if (rc < 0) goto fail_loop;
  take_signals(rt);
  rc = lv_spawner_new(&rt->spawner, pidfds);
  if (rc < 0) goto fail_sigs;
  rc = lv_watchset_open(&rt->seldom, &rt->loop);
  if (rc < 0) goto fail_spawner;
  lv_timers_init(&rt->timers, &rt->loop);
  raise_nofile(&rt->nofile);
  rt->may_widen_all = has_sys_resource();
  if (getpid() == 1) lv_strangers_adopt(rt); /* they come to us in any case */
  return 0;

fail_spawner:
  lv_spawner_free(rt->spawner);
fail_sigs:
  lv_sigs_close(&rt->sigs);
  uv_run(&rt->loop, UV_RUN_DEFAULT);
  lv_sigs_fini(&rt->sigs);
fail_loop:
  uv_loop_close(&rt->loop);
  return rc;
}

void lv_rt_fini(lv_rt *rt) {
  while (lv_strangers_come(rt))
    lv_strangers_leave(rt);
  lv_procs_forget(rt);
  lv_sigs_close(&rt->sigs);
  lv_timers_close(&rt->timers);
  lv_watchset_close(&rt->seldom);
  uv_run(&rt->loop, UV_RUN_DEFAULT);
  int rc = uv_loop_close(&rt->loop);
  assert(rc == 0);
  (void)rc;
  lv_sigs_fini(&rt->sigs);
  lv_timers_fini(&rt->timers);
  lv_watchset_fini(&rt->seldom);
  lv_spawner_free(rt->spawner);
}

bool lv_rt_widen(lv_rt *rt, int pipe_fd) {
  if (lv_fd_pipe_size(pipe_fd) >= WIDE) return false; /* somebody's wish */
  if (!rt->may_widen_all && rt->wide_pipes >= MOST_WIDE) return false;
  if (lv_fd_set_pipe_size(pipe_fd, WIDE) < WIDE) return false;
  rt->wide_pipes++;
  return true;
}

void lv_rt_unwiden(lv_rt *rt) {
  rt->wide_pipes--;
}
