/* run64.c — Run /bin/echo many times, 64 at once, and capture each stdout.
 * epoll says which of the 64 has written or closed its end; the next child
 * takes the slot of the one that ended.
 */
#include "common.h"

#include <sys/epoll.h>

#define SLOTS    64
#define EXPECTED "hello\n"

typedef struct {
  pid_t pid;
  int fd; /* we read the child's stdout here; -1: the slot is free */
  size_t got;
  char out[256];
} slot;

static const char *const ARGV[] = {"/bin/echo", "hello", NULL};
static slot slots[SLOTS];
static int epfd, null;

static void fill(slot *s) {
  int out[2];
  make_pipe(out);
  s->pid = start((child){ARGV, {null, out[1], INHERIT}});
  close(out[1]);
  s->fd = out[0];
  s->got = 0;
  struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
  check(epoll_ctl(epfd, EPOLL_CTL_ADD, s->fd, &ev), "epoll_ctl");
}

/* Read what there is. True when that was the end, and the child is reaped. */
static bool drain(slot *s) {
  ssize_t n = read(s->fd, s->out + s->got, sizeof s->out - s->got);
  check((int)n, "read");
  s->got += (size_t)n;
  if (n > 0) return false;
  if (s->got != strlen(EXPECTED) || memcmp(s->out, EXPECTED, s->got) != 0)
    fail("echo wrote something else");
  /* A child that is not done with its exec may hold this end a little longer,
   * and epoll would tell of it. */
  check(epoll_ctl(epfd, EPOLL_CTL_DEL, s->fd, NULL), "epoll_ctl");
  close(s->fd);
  reap(s->pid);
  return true;
}

/* One turn of the loop. Returns how many children ended in it. */
static long turn(long *left) {
  struct epoll_event events[SLOTS];
  int ready = check(epoll_wait(epfd, events, SLOTS, -1), "epoll_wait");
  long ended = 0;
  for (int i = 0; i < ready; i++) {
    slot *s = events[i].data.ptr;
    if (!drain(s)) continue;
    ended++;
    if (*left == 0) continue;
    (*left)--;
    fill(s);
  }
  return ended;
}

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 4000);
  null = open_null();
  epfd = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  double t = now();
  long left = n, ended = 0;
  for (int i = 0; i < SLOTS && left > 0; i++, left--)
    fill(&slots[i]);
  while (ended < n)
    ended += turn(&left);
  report("run64", n, now() - t, "");
  return 0;
}
