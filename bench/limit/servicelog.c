/* servicelog.c — The output of a child, spliced into files of 10 MB, of which
 * five old ones are kept. A line may be cut here. */
#include <sys/stat.h>

#include "common.h"

enum { KEPT = 5, PATH = 300 };

static const size_t MOST = 10000000;
static const char *dir;

static void path_of(int number, char path[PATH]) {
  snprintf(path, PATH, "%s/log.%d", dir, number);
}

static int next_file(int old) {
  char from[PATH], to[PATH];
  if (old >= 0) close(old);
  path_of(KEPT, to);
  unlink(to);
  for (int i = KEPT - 1; i >= 0; i--) {
    path_of(i, from);
    path_of(i + 1, to);
    (void)rename(from, to);
  }
  path_of(0, to);
  return check(open(to, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600), to);
}

static void move_all(int pipe) {
  int file = next_file(-1);
  size_t room = MOST;
  for (;;) {
    ssize_t n = splice(pipe, NULL, file, NULL, room, SPLICE_F_MOVE);
    if (check((int)n, "splice") == 0) break;
    room -= (size_t)n;
    if (room > 0) continue;
    file = next_file(file);
    room = MOST;
  }
  close(file);
}

static void clean(void) {
  char path[PATH];
  for (int i = 0; i <= KEPT; i++) {
    path_of(i, path);
    unlink(path);
  }
  rmdir(dir);
}

int main(int argc, char **argv) {
  long mib = size_arg(argc, argv, 1024);
  char bytes[32];
  snprintf(bytes, sizeof bytes, "%ld", mib << 20);
  const char *const yes[] = {"/usr/bin/head", "-c", bytes, "/dev/zero", NULL};
  dir = make_dir();
  int pipe;
  double from = now();
  pid_t pid = start_reading(yes, open_null(), &pipe);
  move_all(pipe);
  reap(pid);
  double seconds = now() - from;
  clean();
  report("servicelog", mib, seconds, mib_per_s(mib, seconds));
  return 0;
}
