/* os/cgroup.c — See cgroup.h, and Documentation/admin-guide/cgroup-v2.rst. */
#include "os/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Octal escapes of blanks, as mountinfo has them, back in place. */
static void unescape(char *s) {
  char *to = s;
  for (; *s; s++, to++) {
    bool escaped = s[0] == '\\' && s[1] && s[2] && s[3];
    if (escaped) {
      char digits[4] = {s[1], s[2], s[3], '\0'};
      *to = (char)strtol(digits, NULL, 8);
      s += 3;
    } else {
      *to = *s;
    }
  }
  *to = '\0';
}

typedef struct {
  char *root, *at; /* what of the hierarchy is mounted, and where */
} hierarchy;

static char *field(const char *line, int n) {
  for (; n > 1 && line; n--) {
    line = strchr(line, ' ');
    if (line) line++;
  }
  char *text = line ? strndup(line, strcspn(line, " ")) : NULL;
  if (text) unescape(text);
  return text;
}

/* A line is "id parent dev root mountpoint options … - type source options". */
static bool find_mount(hierarchy *m) {
  FILE *file = fopen("/proc/self/mountinfo", "re");
  if (file == NULL) return false;
  char *line = NULL;
  size_t room = 0;
  while (m->at == NULL && getline(&line, &room, file) > 0) {
    if (strstr(line, " - cgroup2 ") == NULL) continue;
    m->root = field(line, 4);
    m->at = field(line, 5);
  }
  free(line);
  fclose(file);
  return m->root && m->at;
}

static char *find_path(void) {
  FILE *file = fopen("/proc/self/cgroup", "re");
  if (file == NULL) return NULL;
  char *line = NULL, *path = NULL;
  size_t room = 0;
  while (path == NULL && getline(&line, &room, file) > 0) {
    if (strncmp(line, "0::", 3) != 0) continue;
    line[strcspn(line, "\n")] = '\0';
    path = strdup(line + 3);
  }
  free(line);
  fclose(file);
  return path;
}

/* A container may see its own part alone, while it is told the whole path. */
static const char *below(const char *path, const char *root) {
  size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
  if (strncmp(path, root, n) != 0 || strncmp(path, "/..", 3) == 0) return NULL;
  path += n;
  return strcmp(path, "/") == 0 ? "" : path;
}

char *lv_cgroup_own(void) {
  hierarchy m = {NULL, NULL};
  char *path = find_mount(&m) ? find_path() : NULL, *own = NULL;
  const char *rest = path ? below(path, m.root) : NULL;
  if (rest && asprintf(&own, "%s%s", m.at, rest) < 0) own = NULL;
  free(path);
  free(m.root);
  free(m.at);
  return own;
}

static FILE *open_in(const char *dir, const char *name, const char *mode) {
  char *path;
  if (asprintf(&path, "%s/%s", dir, name) < 0) return NULL;
  FILE *file = fopen(path, mode);
  free(path);
  return file;
}

bool lv_cgroup_is_populated(const char *dir) {
  FILE *file = open_in(dir, "cgroup.events", "re");
  if (file == NULL) return false;
  char line[128];
  bool populated = false;
  while (fgets(line, sizeof line, file))
    if (strcmp(line, "populated 1\n") == 0) populated = true;
  fclose(file);
  return populated;
}

int lv_cgroup_each(const char *dir, int (*fn)(const char *sub, void *arg),
                   void *arg) {
  DIR *d = opendir(dir);
  if (d == NULL) return errno == ENOENT ? 0 : -errno;
  int rc = 0;
  struct dirent *entry;
  while (rc == 0 && (entry = readdir(d)) != NULL) {
    if (entry->d_type != DT_DIR || *entry->d_name == '.') continue;
    char *sub;
    if (asprintf(&sub, "%s/%s", dir, entry->d_name) < 0)
      rc = -ENOMEM;
    else {
      rc = fn(sub, arg);
      free(sub);
    }
  }
  closedir(d);
  return rc;
}

static int add_members(const char *dir, void *to) {
  FILE *file = open_in(dir, "cgroup.procs", "re");
  if (file == NULL) return errno == ENOENT ? 0 : -errno;
  int rc = lv_pids_read(to, file);
  return rc < 0 ? rc : lv_cgroup_each(dir, add_members, to);
}

int lv_cgroup_members(lv_pids *to, const char *dir) {
  return add_members(dir, to);
}

int lv_cgroup_kill(const char *dir) {
  FILE *file = open_in(dir, "cgroup.kill", "we");
  if (file == NULL) return -errno;
  bool ok = fputs("1", file) >= 0;
  int code = -errno;
  return fclose(file) == 0 && ok ? 0 : code;
}

static int remove_one(const char *dir, void *unused) {
  int rc = lv_cgroup_each(dir, remove_one, unused);
  if (rc == 0 && rmdir(dir) < 0 && errno != ENOENT) rc = -errno;
  return rc;
}

int lv_cgroup_remove(const char *dir) {
  return remove_one(dir, NULL);
}
