/* os/group.c — A census of process groups. See group.h.
 *
 * Stopping thousands of children at once must not read /proc thousands of
 * times: the sorted list of living groups is kept and is good for a while that
 * lies below the pause of who asks again. */
#include "os/group.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const double FRESH = 0.005; /* seconds */

typedef struct {
  pid_t *groups; /* sorted */
  size_t n, cap;
  double taken;
} census;

static double now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
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
  int parent;
  return end && sscanf(end + 1, " %c %d %d", state, &parent, group) == 3;
}

static void add(census *c, pid_t group) {
  if (c->n == c->cap) {
    size_t cap = c->cap ? 2 * c->cap : 256;
    pid_t *groups = realloc(c->groups, cap * sizeof(pid_t));
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

static void take(census *c) {
  DIR *proc = opendir("/proc");
  if (proc == NULL) return;
  c->n = 0;
  const struct dirent *entry;
  while ((entry = readdir(proc)) != NULL) {
    char state;
    pid_t group;
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    if (!read_group(dirfd(proc), entry->d_name, &state, &group)) continue;
    if (state != 'Z' && state != 'X') add(c, group);
  }
  closedir(proc);
  qsort(c->groups, c->n, sizeof(pid_t), compare);
  c->taken = now();
}

bool lv_group_is_alive(pid_t group) {
  static census c; /* of this machine, whoever asks */
  if (c.groups == NULL || now() - c.taken > FRESH) take(&c);
  return c.n > 0 &&
         bsearch(&group, c.groups, c.n, sizeof(pid_t), compare) != NULL;
}
