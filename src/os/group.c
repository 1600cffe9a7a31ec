/* os/group.c — See group.h.
 *
 * Stopping thousands of children at once must not read /proc thousands of
 * times: the sorted list of living groups is kept, and is good for a while
 * that grows with what it took to make it. */
#include "os/group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const uint64_t FRESH = 5000000; /* ns it is good for, at the least */
static const uint64_t REST = 10;       /* times what it took */

typedef struct {
  pid_t *groups; /* sorted */
  size_t n, cap;
  uint64_t started, good_until;
  bool blind; /* it could not see all: no descriptor was left, or no memory */
} census;

static uint64_t now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* "pid (name) state ppid pgrp …": the name may hold anything, even ")". */
static bool read_group(int proc, const char *pid, char *state, pid_t *group) {
  char path[32], text[512];
  snprintf(path, sizeof path, "%.16s/stat", pid);
  int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return false;
  text[n] = '\0';
  const char *end = strrchr(text, ')');
  if (end == NULL || strlen(end) < strlen(") S 1 1")) return false;
  *state = end[2];
  char *at;
  strtol(end + 3, &at, 10); /* the parent */
  *group = (pid_t)strtol(at, NULL, 10);
  return true;
}

static void add(census *c, pid_t group) {
  if (c->n == c->cap) {
    size_t cap = c->cap ? 2 * c->cap : 256;
    pid_t *groups = realloc(c->groups, cap * sizeof(pid_t));
    c->blind = c->blind || groups == NULL;
    if (groups == NULL) return;
    c->groups = groups;
    c->cap = cap;
  }
  c->groups[c->n++] = group;
}

static int compare(const void *a, const void *b) {
  pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
  return (x > y) - (x < y);
}

static void look(census *c, DIR *proc) {
  const struct dirent *entry;
  while ((entry = readdir(proc)) != NULL) {
    char state;
    pid_t group;
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    errno = 0;
    if (read_group(dirfd(proc), entry->d_name, &state, &group)) {
      if (state != 'Z' && state != 'X') add(c, group);
    } else if (errno == EMFILE || errno == ENFILE) {
      c->blind = true;
    }
  }
}

static void take(census *c) {
  c->started = now();
  c->n = 0;
  DIR *proc = opendir("/proc");
  c->blind = proc == NULL;
  if (proc != NULL) {
    look(c, proc);
    closedir(proc);
  }
  if (c->n > 0) qsort(c->groups, c->n, sizeof(pid_t), compare);
  uint64_t end = now(), rest = REST * (end - c->started);
  c->good_until = end + (rest > FRESH ? rest : FRESH);
}

bool lv_group_may_be_alive(pid_t group, uint64_t since) {
  static census c; /* of this machine, whoever asks */
  if (now() > c.good_until) take(&c);
  if (c.started < since || c.blind) return true;
  return c.n > 0 &&
         bsearch(&group, c.groups, c.n, sizeof(pid_t), compare) != NULL;
}

/* A background process that sets the foreground group is stopped by SIGTTOU,
 * unless it blocks it (tcsetpgrp(3)). */
void lv_group_set_foreground(int tty, pid_t group) {
  sigset_t ttou, old;
  sigemptyset(&ttou);
  sigaddset(&ttou, SIGTTOU);
  sigprocmask(SIG_BLOCK, &ttou, &old);
  tcsetpgrp(tty, group);
  sigprocmask(SIG_SETMASK, &old, NULL);
}
