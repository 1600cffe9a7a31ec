/* core/sig.c — A counter for each signal and an eventfd.
 *
 * The handler adds one to the signal's counter and writes to the eventfd; the
 * loop takes the counters. So a storm costs no memory and no delivery is lost,
 * however long the loop was away (libuv's own pipe holds 4096).
 *
 * The second INT or TERM must end even a program that never comes back to its
 * loop, as `while true do end`: that is done in the handler. If there is no
 * second, a timer that the first has started makes one. The kernel may choose
 * any thread for a handler; the loop's is the one whose data `last` reads. */
#include "core/sig.h"

#include "os/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static atomic_uint arrived[LV_NSIG];
static atomic_bool any_arrived;
static atomic_int wake_fd = -1;

/* Touched by the loop's thread only, and its handlers. */
static struct {
  pid_t thread;
  volatile sig_atomic_t ends[LV_NSIG]; /* is it a signal that ends us, or even
                                          AT_ONCE? */
  volatile sig_atomic_t first;         /* of those that have come, or 0 */
  volatile sig_atomic_t held;
  volatile sig_atomic_t late; /* the signal to act upon when released */
  lv_last_fn fn;
  void *arg;
  timer_t timer;
  bool has_timer;
} last;

enum { PATIENCE = 5 }; /* seconds */
enum { AT_ONCE = 2 };

static void set_timer(time_t seconds) {
  const struct itimerspec in = {.it_value.tv_sec = seconds};
  if (last.has_timer) timer_settime(last.timer, 0, &in, NULL);
}

static void call_last(int signum) {
  if (last.held > 0)
    last.late = signum;
  else
    last.fn(last.arg, signum);
}

static void note_end(int signum) {
  if (last.first != 0 || last.ends[signum] == AT_ONCE) {
    call_last(signum);
    return;
  }
  last.first = signum;
  set_timer(PATIENCE);
}

static void count(int signum) {
  atomic_fetch_add(&arrived[signum], 1);
  atomic_store(&any_arrived, true);
  uint64_t one = 1;
  ssize_t n = write(atomic_load(&wake_fd), &one, sizeof one);
  (void)n; /* full: it is readable anyway */
}

static void on_signal(int signum, siginfo_t *info, void *context) {
  int saved = errno;
  (void)context;
  if (last.ends[signum] && gettid() != last.thread) {
    tgkill(getpid(), last.thread, signum);
  } else if (info->si_code == SI_TIMER && info->si_ptr == &last) {
    call_last(last.first);
  } else {
    if (last.ends[signum]) note_end(signum);
    count(signum);
  }
  errno = saved;
}

static void tell(lv_sigs *s, int signum, unsigned times) {
  lv_list *head = &s->subs[signum];
  for (lv_list *node = head->next, *next; node != head; node = next) {
    next = node->next;
    lv_sub *sub = LV_OF(node, lv_sub, link);
    sub->fn(sub->arg, signum, times);
  }
}

static void on_wake(uv_poll_t *poll, int status, int events) {
  lv_sigs *s = poll->data;
  (void)status, (void)events;
  uint64_t ignored;
  lv_fd_read(s->fd, &ignored, sizeof ignored);
  atomic_store(&any_arrived, false);
  if (last.first != 0) set_timer(0); /* the loop has its turn */
  for (int i = 1; i < LV_NSIG; i++) {
    unsigned times = atomic_exchange(&arrived[i], 0);
    if (times > 0) tell(s, i, times);
  }
}

bool lv_sigs_arrived(void) {
  return atomic_load_explicit(&any_arrived, memory_order_relaxed);
}

static bool is_ignored(int signum) {
  struct sigaction sa;
  return sigaction(signum, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
}

int lv_sigs_open(lv_sigs *s, uv_loop_t *loop) {
  static const int inherited[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
  *s = (lv_sigs){.loop = loop};
  for (int i = 0; i < LV_NSIG; i++)
    lv_list_init(&s->subs[i]);
  for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++)
    s->ignored[inherited[i]] = is_ignored(inherited[i]);
  last.thread = gettid();
  s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (s->fd < 0) return -errno;
  int rc = uv_poll_init(loop, &s->poll, s->fd);
  if (rc < 0) {
    lv_fd_close(&s->fd);
    return rc;
  }
  s->poll.data = s;
  atomic_store(&wake_fd, s->fd);
  uv_poll_start(&s->poll, UV_READABLE, on_wake);
  return 0;
}

static int set_action(int signum, struct sigaction *sa) {
  sa->sa_flags |= SA_RESTART;
  sigfillset(&sa->sa_mask);
  return sigaction(signum, sa, NULL) < 0 ? -errno : 0;
}

static int catch (int signum) {
  return set_action(signum, &(struct sigaction){.sa_sigaction = on_signal,
                                                .sa_flags = SA_SIGINFO});
}

static int leave_alone(int signum, bool ignored) {
  return set_action(
      signum, &(struct sigaction){.sa_handler = ignored ? SIG_IGN : SIG_DFL});
}

void lv_sigs_close(lv_sigs *s) {
  for (int i = 1; i < LV_NSIG; i++)
    if (!lv_list_is_empty(&s->subs[i])) leave_alone(i, false);
  uv_close((uv_handle_t *)&s->poll, NULL);
}

void lv_sigs_fini(lv_sigs *s) {
  if (last.has_timer) timer_delete(last.timer);
  last.has_timer = false;
  atomic_store(&wake_fd, -1);
  lv_fd_close(&s->fd);
}

static bool is_fault(int signum) {
  return signum == SIGSEGV || signum == SIGBUS || signum == SIGFPE ||
         signum == SIGILL;
}

int lv_sub_add(lv_sigs *s, lv_sub *sub, int signum, lv_sig_fn fn, void *arg) {
  if (signum < 1 || signum >= LV_NSIG || is_fault(signum)) return -EINVAL;
  if (lv_list_is_empty(&s->subs[signum])) {
    int rc = catch (signum);
    if (rc < 0) return rc;
  }
  sub->fn = fn;
  sub->arg = arg;
  lv_list_push(&s->subs[signum], &sub->link);
  return 0;
}

void lv_sub_del(lv_sigs *s, lv_sub *sub, int signum) {
  lv_list_del(&sub->link);
  if (!lv_list_is_empty(&s->subs[signum])) return;
  leave_alone(signum, s->ignored[signum]);
}

int lv_sigs_ignore(lv_sigs *s, int signum, bool on) {
  if (signum < 1 || signum >= LV_NSIG) return -EINVAL;
  if (lv_list_is_empty(&s->subs[signum])) {
    int rc = leave_alone(signum, on);
    if (rc < 0) return rc;
  }
  s->ignored[signum] = on;
  return 0;
}

/* Without a timer, as where there are too many, only a second signal helps. */
void lv_sigs_on_last(lv_last_fn fn, void *arg) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
                           .sigev_signo = SIGTERM,
                           .sigev_value.sival_ptr = &last};
  event._sigev_un._tid = last.thread;
  last.fn = fn;
  last.arg = arg;
  last.has_timer = timer_create(CLOCK_MONOTONIC, &event, &last.timer) == 0;
}

void lv_sigs_set_ending(int signum, bool on) {
  last.ends[signum] = on;
}

int lv_sigs_set_fatal(int signum) {
  last.ends[signum] = AT_ONCE;
  return catch (signum);
}

void lv_sigs_hold(void) {
  last.held++;
  atomic_signal_fence(memory_order_seq_cst);
}

void lv_sigs_release(void) {
  atomic_signal_fence(memory_order_seq_cst);
  last.held--;
  if (last.held == 0 && last.late != 0) last.fn(last.arg, last.late);
}
