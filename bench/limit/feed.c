/* feed.c — Feed n MiB to cat and read them back at the same time.
 * poll says which side can go on; both pipes are widened, and the two buffers
 * are small enough to stay in the processor's cache.
 */
#include "common.h"

#include <errno.h>
#include <poll.h>

#define CHUNK (1 << 18)

static const char *const ARGV[] = {"/bin/cat", NULL};
static char chunk_in[CHUNK], chunk_out[CHUNK];

/* One write. At the end closes *fd and makes it -1, which poll passes over. */
static void feed(int *fd, size_t *left) {
  size_t len = *left < CHUNK ? *left : CHUNK;
  ssize_t n = write(*fd, chunk_in, len);
  if (n < 0 && errno != EAGAIN) die("write");
  if (n > 0) *left -= (size_t)n;
  if (*left > 0) return;
  close(*fd);
  *fd = -1;
}

/* One read. False at the end of file. */
static bool drain(int fd, size_t *got) {
  ssize_t n = read(fd, chunk_out, CHUNK);
  if (n < 0 && errno != EAGAIN) die("read");
  if (n > 0) *got += (size_t)n;
  return n != 0;
}

/* Returns how many of the bytes came back. */
static size_t pump(int to, int from, size_t total) {
  set_nonblock(to);
  set_nonblock(from);
  struct pollfd p[] = {{.fd = to, .events = POLLOUT},
                       {.fd = from, .events = POLLIN}};
  size_t left = total, got = 0;
  for (;;) {
    check(poll(p, 2, -1), "poll");
    if (p[0].revents != 0) feed(&p[0].fd, &left);
    if (p[1].revents != 0 && !drain(from, &got)) return got;
  }
}

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 256);
  size_t total = (size_t)n << 20;
  memset(chunk_in, 'x', CHUNK);
  double t = now();
  int to[2], from[2];
  make_pipe(to);
  make_pipe(from);
  widen(to[1]);
  widen(from[0]);
  pid_t pid = start((child){ARGV, {to[0], from[1], INHERIT}});
  close(to[0]);
  close(from[1]);
  size_t got = pump(to[1], from[0], total);
  reap(pid);
  double seconds = now() - t;
  if (got != total) fail("some bytes did not come back");
  report("feed", n, seconds, mib_per_s(n, seconds));
  return 0;
}
