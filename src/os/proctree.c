/* os/proctree.c — See proctree.h.
 *
 * A scan reads /proc/PID/stat of every process there is. What is below us is
 * then found by marking: a process is if its parent is. As the subreaper we
 * are the parent of every orphan of ours, so none is missed. What forks during
 * the scan may be: whoever must have all scans until nothing new comes. */
#include "os/proctree.h"

#include "os/pidfd.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Up to size - 1 bytes and a zero; the number or -errno. */
static ssize_t read_file(char *to, size_t size, pid_t pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t n = read(fd, to, size - 1);
  int code = -errno;
  close(fd);
  if (n < 0) return code;
  to[n] = '\0';
  return n;
}

/* "pid (comm) state ppid pgrp session …": comm may hold anything, so it ends at
 * the last parenthesis. Field 22 is the start time. */
static bool parse(lv_procstat *stat, const char *text) {
  const char *open = strchr(text, '('), *close = strrchr(text, ')');
  if (open == NULL || close == NULL || close < open) return false;
  size_t n = (size_t)(close - open - 1);
  if (n >= sizeof stat->comm) n = sizeof stat->comm - 1;
  memcpy(stat->comm, open + 1, n);
  stat->comm[n] = '\0';
  int ppid, pgrp, session;
  int got = sscanf(close + 1,
                   " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
                   "%*d %*d %*d %*d %llu",
                   &stat->state, &ppid, &pgrp, &session, &stat->start);
  stat->ppid = ppid;
  stat->pgrp = pgrp;
  stat->session = session;
  return got == 5;
}

int lv_procstat_read(lv_procstat *stat, pid_t pid) {
  char text[1024];
  ssize_t n = read_file(text, sizeof text, pid, "stat");
  if (n == -ENOENT) return -ESRCH;
  if (n < 0) return (int)n;
  stat->pid = pid;
  return parse(stat, text) ? 0 : -ESRCH;
}

typedef struct {
  lv_procstat *list;
  size_t n, room;
} table;

static int add(table *t, pid_t pid, bool zombies) {
  if (t->n == t->room) {
    size_t room = t->room ? t->room * 2 : 256;
    lv_procstat *list = realloc(t->list, room * sizeof *list);
    if (list == NULL) return -ENOMEM;
    t->list = list;
    t->room = room;
  }
  int rc = lv_procstat_read(&t->list[t->n], pid);
  if (rc == 0 && (t->list[t->n].state == 'Z') == zombies) t->n++;
  return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM ? rc : 0;
}

static int read_all(table *t, bool zombies) {
  DIR *dir = opendir("/proc");
  if (dir == NULL) return -errno;
  int rc = 0;
  struct dirent *entry;
  while (rc == 0 && (entry = readdir(dir)) != NULL)
    if (isdigit((unsigned char)entry->d_name[0]))
      rc = add(t, (pid_t)strtol(entry->d_name, NULL, 10), zombies);
  closedir(dir);
  return rc;
}

static int by_ppid(const void *a, const void *b) {
  const lv_procstat *x = a, *y = b;
  return (x->ppid > y->ppid) - (x->ppid < y->ppid);
}

static size_t first_child(const table *t, pid_t ppid) {
  size_t low = 0, high = t->n;
  while (low < high) {
    size_t mid = (low + high) / 2;
    if (t->list[mid].ppid < ppid)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

/* Breadth first: what has been taken is the queue. */
static int take_below(const table *t, pid_t top, lv_procstat **list,
                      size_t *n) {
  lv_procstat *found = malloc((t->n ? t->n : 1) * sizeof *found);
  if (found == NULL) return -ENOMEM;
  size_t count = 0, next = 0;
  pid_t parent = top;
  for (;;) {
    for (size_t i = first_child(t, parent);
         i < t->n && t->list[i].ppid == parent && count < t->n; i++)
      found[count++] = t->list[i];
    if (next == count) break;
    parent = found[next++].pid;
  }
  *list = found;
  *n = count;
  return 0;
}

int lv_proctree_scan(lv_procstat **list, size_t *n, pid_t top) {
  table t = {0};
  int rc = read_all(&t, false);
  if (rc == 0 && t.n > 0) qsort(t.list, t.n, sizeof *t.list, by_ppid);
  if (rc == 0) rc = take_below(&t, top, list, n);
  free(t.list);
  return rc;
}

int lv_proctree_zombies(lv_procstat **list, size_t *n, pid_t parent) {
  table t = {0};
  int rc = read_all(&t, true);
  size_t kept = 0;
  for (size_t i = 0; rc == 0 && i < t.n; i++)
    if (t.list[i].ppid == parent) t.list[kept++] = t.list[i];
  if (rc < 0) free(t.list);
  *list = rc < 0 ? NULL : t.list;
  *n = kept;
  return rc;
}

enum { ENVIRON_MOST = 2 << 20 }; /* what execve(2) takes: ARG_MAX */

static bool holds(const char *text, size_t n, const char *assignment) {
  size_t length = strlen(assignment);
  const char *at = text, *end = text + n;
  while (at < end) {
    size_t one = strnlen(at, (size_t)(end - at));
    if (one == length && memcmp(at, assignment, length) == 0) return true;
    at += one + 1;
  }
  return false;
}

bool lv_proc_has_env(pid_t pid, const char *assignment) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  size_t room = 65536, n = 0, got;
  char *text = malloc(room);
  while (text && (got = fread(text + n, 1, room - n, file)) > 0) {
    n += got;
    if (n < room || room >= ENVIRON_MOST) continue;
    char *more = realloc(text, room *= 2);
    if (more == NULL) break;
    text = more;
  }
  bool found = text && holds(text, n, assignment);
  free(text);
  fclose(file);
  return found;
}

/* The pidfd is opened first: if the process of that number is then the one that
 * is meant, so is the pidfd's. */
int lv_proc_signal_exactly(pid_t pid, unsigned long long start, int signum) {
  int fd = lv_pidfd_open(pid);
  if (fd == -ESRCH) return fd;
  lv_procstat stat;
  int rc = lv_procstat_read(&stat, pid);
  if (rc == 0 && stat.start != start) rc = -ESRCH;
  if (rc == 0) rc = lv_child_signal(pid, fd, signum);
  if (fd >= 0) close(fd);
  return rc;
}
