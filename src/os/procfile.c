/* os/procfile.c — See procfile.h, proc(5). */
#include "os/procfile.h"

#include "os/fd.h"
#include "os/pidfd.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Up to size - 1 bytes of /proc/PID/name, and a zero; their number or -errno.
 */
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
 * the last parenthesis, where field 2 does. NULL: there are not so many. */
static const char *find_field(const char *text, int n) {
  const char *at = strrchr(text, ')');
  for (int field = 2; at && field < n; field++) {
    at = strchr(at, ' ');
    if (at) at++;
  }
  return at;
}

/* It is shown to people: a name cannot do more to a terminal than be read. */
static void take_name(lv_procstat *stat, const char *text) {
  const char *open = strchr(text, '('), *close = strrchr(text, ')');
  size_t n = open && close > open ? (size_t)(close - open - 1) : 0;
  if (n >= sizeof stat->comm) n = sizeof stat->comm - 1;
  for (size_t i = 0; i < n; i++)
    stat->comm[i] = iscntrl((unsigned char)open[i + 1]) ? '?' : open[i + 1];
  stat->comm[n] = '\0';
}

enum { STATE = 3, THREADS = 20, START = 22, ENV_END = 51 }; /* fields */

static bool parse(lv_procstat *stat, const char *text) {
  const char *state = find_field(text, STATE), *start = find_field(text, START);
  if (state == NULL || *state == '\0' || start == NULL) return false;
  char *next;
  take_name(stat, text);
  stat->state = *state;
  stat->ppid = (pid_t)strtol(state + 1, &next, 10);
  stat->pgrp = (pid_t)strtol(next, &next, 10);
  stat->session = (pid_t)strtol(next, &next, 10);
  stat->threads = (int)strtol(find_field(text, THREADS), NULL, 10);
  stat->start = strtoull(start, NULL, 10);
  return true;
}

int lv_procstat_read(lv_procstat *stat, pid_t pid) {
  char text[1024];
  ssize_t n = read_file(text, sizeof text, pid, "stat");
  if (n == -ENOENT) return -ESRCH;
  if (n < 0) return (int)n;
  stat->pid = pid;
  return parse(stat, text) ? 0 : -ESRCH;
}

bool lv_procstat_is_dead(const lv_procstat *stat) {
  return stat->state == 'X' || (stat->state == 'Z' && stat->threads < 2);
}

/* ---- children ---- */

static int open_children(pid_t pid, pid_t thread) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid,
           (int)thread);
  return lv_fd_open_at(AT_FDCWD, path, O_RDONLY, 0);
}

bool lv_proc_lists_children(void) {
  static int known = -1;
  if (known < 0) {
    int fd = open_children(getpid(), getpid());
    known = fd >= 0;
    if (fd >= 0) close(fd);
  }
  return known == 1;
}

static int of_thread(lv_pids *to, pid_t pid, pid_t thread) {
  int fd = open_children(pid, thread);
  if (fd >= 0) return lv_pids_read(to, fd);
  return fd == -ENOENT || fd == -ESRCH ? 0 : fd;
}

int lv_proc_children(lv_pids *to, pid_t parent, int threads) {
  if (!lv_proc_lists_children()) return -ENOSYS;
  if (threads == 1) return of_thread(to, parent, parent);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", (int)parent);
  DIR *dir = opendir(path);
  if (dir == NULL) return errno == ENOENT ? 0 : -errno;
  int rc = 0;
  struct dirent *entry;
  while (rc == 0 && (entry = readdir(dir)) != NULL)
    if (isdigit((unsigned char)entry->d_name[0]))
      rc = of_thread(to, parent, (pid_t)strtol(entry->d_name, NULL, 10));
  closedir(dir);
  return rc;
}

/* ---- what else is to be known ---- */

enum { ENVIRON_MOST = 2 << 20 }; /* what execve(2) takes: ARG_MAX */

static char *value_of(const char *text, size_t n, const char *name) {
  size_t length = strlen(name);
  const char *at = text, *end = text + n;
  while (at < end) {
    size_t one = strnlen(at, (size_t)(end - at));
    if (one > length && at[length] == '=' && memcmp(at, name, length) == 0)
      return strndup(at + length + 1, one - length - 1);
    at += one + 1;
  }
  return NULL;
}

static int read_environ(pid_t pid, char **text, size_t *n) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return -errno;
  size_t room = 16384, got;
  char *to = malloc(room);
  *n = 0;
  while (to && (got = fread(to + *n, 1, room - *n, file)) > 0) {
    *n += got;
    if (*n < room) continue;
    char *more = room < ENVIRON_MOST ? realloc(to, room * 2) : NULL;
    if (more == NULL) break;
    to = more;
    room *= 2;
  }
  fclose(file);
  *text = to;
  return to ? 0 : -ENOMEM;
}

/* In the middle of execve(2) the new program has no environment: where it ends
 * is still unknown. */
static bool is_being_executed(pid_t pid) {
  char text[1024];
  if (read_file(text, sizeof text, pid, "stat") < 0) return false;
  const char *at = find_field(text, ENV_END);
  return at && strtoull(at, NULL, 10) == 0;
}

int lv_proc_env(pid_t pid, const char *name, char **value) {
  char *text = NULL;
  size_t n = 0;
  *value = NULL;
  int rc = read_environ(pid, &text, &n);
  if (rc == 0 && n == 0 && is_being_executed(pid)) rc = -EAGAIN;
  if (rc == 0 && n == 0) { /* empty, or it was not there yet */
    free(text);
    text = NULL;
    rc = read_environ(pid, &text, &n);
  }
  if (rc == 0) *value = value_of(text, n, name);
  free(text);
  return rc;
}

/* Not the owner of its folder in /proc: that is root for one that may not be
 * traced. */
long lv_proc_uid(pid_t pid) {
  char text[4096];
  ssize_t n = read_file(text, sizeof text, pid, "status");
  const char *line = n > 0 ? strstr(text, "\nUid:") : NULL;
  return line ? strtol(line + 5, NULL, 10) : -1;
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
