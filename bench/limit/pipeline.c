/* pipeline.c — Run echo | cat | wc, and read what comes out, again and again.
 */
#include "common.h"

enum { STAGES = 3 };

static const char *const ECHO[] = {"/bin/echo", "hello", NULL};
static const char *const CAT[] = {"/bin/cat", NULL};
static const char *const WC[] = {"/usr/bin/wc", "-c", NULL};
static const char *const *const STAGE[STAGES] = {ECHO, CAT, WC};

/* Each stage's stdin is the stage before it. Returns the last one's stdout. */
static int start_all(int null, pid_t *pids) {
  int in = null;
  for (int i = 0; i < STAGES; i++) {
    int ends[2];
    make_pipe(ends);
    pids[i] = start((child){STAGE[i], {in, ends[1], INHERIT}});
    close(ends[1]);
    if (in != null) close(in);
    in = ends[0];
  }
  return in;
}

/* Returns whether out said "6\n" and no more. */
static bool is_answer(int out) {
  char data[16];
  size_t got = 0;
  ssize_t n;
  while ((n = read(out, data + got, sizeof data - got)) > 0)
    got += (size_t)n;
  check((int)n, "read");
  return got == 2 && memcmp(data, "6\n", 2) == 0;
}

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 500);
  int null = open_null();
  double t = now();
  for (long i = 0; i < n; i++) {
    pid_t pids[STAGES];
    int out = start_all(null, pids);
    if (!is_answer(out)) fail("wc counted something else");
    close(out);
    for (int stage = 0; stage < STAGES; stage++)
      reap(pids[stage]);
  }
  report("pipeline", n, now() - t, "");
  return 0;
}
