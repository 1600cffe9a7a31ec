/* service.c — A service that the soak can hold to account.
 *
 *   service DIR KIND [MILLISECONDS]
 *
 * It writes numbered lines, "<run> <number> <filler>", one each so many
 * milliseconds, to stdout and stderr in turn. How many it has written stands
 * in DIR/runs/<name>, one record a run, in shared memory: so it is known though
 * the process is killed between any two instructions. The lock of that file is
 * held as long as a process of the service lives, its children's children
 * included: who cannot have it is a second instance, and says so.
 *
 * USR1: many lines at once. USR2: end with code 3. TERM: one more line, the
 * end. DIR/crash/<name> exists: end at once with code 1.
 *
 * KIND: plain; notify: says READY=1; stubborn: TERM does nothing; family: has a
 * child that left the session and a grandchild without a parent, both deaf.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FLOOD = 4000, PAGE = 4096, LONG_LINE = 3000, CRASHED = 3 };

typedef struct {
  uint64_t pid;
  uint64_t lines; /* that were written for sure; one more may have been */
} record;

typedef struct {
  const char *dir;
  char name[128];
  long run; /* from 1 */
  volatile record *record;
} service;

static _Noreturn void die(const char *what) {
  perror(what);
  exit(125);
}

static int check(int result, const char *what) {
  if (result < 0) die(what);
  return result;
}

static void path_of(const service *s, const char *folder, char path[PAGE]) {
  snprintf(path, PAGE, "%s/%s/%s", s->dir, folder, s->name);
}

static void take_name(service *s) {
  const char *name = getenv("LUVISOR_SERVICE");
  const char *instance = getenv("LUVISOR_INSTANCE");
  snprintf(s->name, sizeof s->name, "%s%s%s", name ? name : "?",
           instance ? "@" : "", instance ? instance : "");
}

/* Who else has it may be seen in the list of locks. */
static _Noreturn void say_second(const service *s) {
  char path[PAGE], line[PAGE];
  snprintf(path, sizeof path, "%s/seconds", s->dir);
  int fd = check(open(path, O_WRONLY | O_APPEND | O_CREAT, 0600), path);
  int n = snprintf(line, sizeof line, "%s pid %d\n", s->name, (int)getpid());
  check((int)write(fd, line, (size_t)n), path);
  _exit(124);
}

static void begin_run(service *s) {
  char path[PAGE];
  path_of(s, "runs", path);
  int fd = check(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), path);
  if (flock(fd, LOCK_EX | LOCK_NB) < 0) say_second(s);
  off_t end = lseek(fd, 0, SEEK_END);
  record r = {.pid = (uint64_t)getpid()};
  check((int)write(fd, &r, sizeof r), path);
  s->run = (long)(end / (off_t)sizeof r) + 1;
  void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                    end / PAGE * PAGE);
  if (page == MAP_FAILED) die("mmap");
  s->record = (record *)(void *)((char *)page + end % PAGE);
}

/* At most PIPE_BUF, so it is in the pipe as a whole or not at all. */
static void write_line(service *s) {
  char line[PAGE];
  uint64_t number = s->record->lines + 1;
  int n = snprintf(line, sizeof line, "%ld %llu ", s->run,
                   (unsigned long long)number);
  int filler = number % 1000 == 0 ? LONG_LINE : (int)(number % 60);
  memset(line + n, 'x', (size_t)filler);
  line[n + filler] = '\n';
  ssize_t put;
  do {
    put = write(number % 2 ? 1 : 2, line, (size_t)(n + filler + 1));
  } while (put < 0 && errno == EINTR);
  if (put != n + filler + 1) die("write");
  s->record->lines = number;
}

static void say_ready(void) {
  const char *to = getenv("NOTIFY_SOCKET");
  if (to == NULL) die("NOTIFY_SOCKET");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t n = strlen(to);
  memcpy(address.sun_path, to, n);
  if (to[0] == '@') address.sun_path[0] = 0;
  int fd = check(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
  check(
      (int)sendto(fd, "READY=1\nSTATUS=writes", 21, 0, (void *)&address, size),
      "sendto");
  close(fd);
}

static _Noreturn void sleep_for_ever(void) {
  for (;;)
    pause();
}

/* The signals are blocked by now, so TERM does nothing to them. */
static void have_family(void) {
  if (check(fork(), "fork") == 0) {
    setsid();
    sleep_for_ever();
  }
  if (check(fork(), "fork") != 0) return;
  setsid();
  if (check(fork(), "fork") != 0) _exit(0);
  sleep_for_ever();
}

static sigset_t block_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  const int signals[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGHUP};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    sigaddset(&set, signals[i]);
  sigprocmask(SIG_BLOCK, &set, NULL);
  return set;
}

static void write_many(service *s) {
  for (int i = 0; i < FLOOD; i++)
    write_line(s);
}

static void heed(service *s, int sig, bool stubborn) {
  if (sig == SIGUSR1) write_many(s);
  if (sig == SIGUSR2) _exit(CRASHED);
  if (sig != SIGTERM || stubborn) return;
  write_line(s);
  exit(0);
}

int main(int argc, char **argv) {
  if (argc < 3) return 125;
  sigset_t signals = block_signals();
  service s = {.dir = argv[1]};
  const char *kind = argv[2];
  long ms = argc > 3 ? strtol(argv[3], NULL, 10) : 200;
  char crash[PAGE];
  take_name(&s);
  begin_run(&s);
  write_line(&s);
  path_of(&s, "crash", crash);
  if (access(crash, F_OK) == 0) return 1;
  if (strcmp(kind, "family") == 0) have_family();
  if (strcmp(kind, "notify") == 0) say_ready();
  const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
  for (;;) {
    int sig = sigtimedwait(&signals, NULL, &pause);
    if (sig > 0)
      heed(&s, sig, strcmp(kind, "stubborn") == 0);
    else
      write_line(&s);
  }
}
