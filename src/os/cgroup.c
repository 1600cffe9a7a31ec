/* os/cgroup.c — See cgroup.h, and Documentation/admin-guide/cgroup-v2.rst. */
#include "os/cgroup.h"

#include "os/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static char *field(const char *line, int n) {
  for (; n > 1 && line; n--) {
    line = strchr(line, ' ');
    if (line) line++;
  }
  char *text = line ? strndup(line, strcspn(line, " ")) : NULL;
  if (text) unescape(text);
  return text;
}

/* What fn makes of the first line of a file that it makes something of. */
static char *find_line(const char *path,
                       char *(*fn)(const char *line, const void *arg),
                       const void *arg) {
  FILE *file = fopen(path, "re");
  if (file == NULL) return NULL;
  char *line = NULL, *found = NULL;
  size_t room = 0;
  while (found == NULL && getline(&line, &room, file) > 0) {
    line[strcspn(line, "\n")] = '\0';
    found = fn(line, arg);
  }
  free(line);
  fclose(file);
  return found;
}

/* Of version 2: "0::/path". */
static char *take_path(const char *line, const void *unused) {
  (void)unused;
  return strncmp(line, "0::/", 4) == 0 ? strdup(line + 3) : NULL;
}

/* A container may see its own part alone, while it is told the whole path. */
static const char *below(const char *path, const char *root) {
  size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
  if (strncmp(path, root, n) != 0 || strncmp(path, "/..", 3) == 0) return NULL;
  path += n;
  if (*path != '/' && *path != '\0') return NULL;
  return strcmp(path, "/") == 0 ? "" : path;
}

/* A line is "id parent dev root mountpoint options … - type source options":
 * root is what of the hierarchy is mounted there. */
static char *take_mount(const char *line, const void *path) {
  if (strstr(line, " - cgroup2 ") == NULL) return NULL;
  char *root = field(line, 4), *at = field(line, 5), *own = NULL;
  const char *rest = root && at ? below(path, root) : NULL;
  if (rest && asprintf(&own, "%s%s", at, rest) < 0) own = NULL;
  free(root);
  free(at);
  return own;
}

char *lv_cgroup_own(void) {
  char *path = find_line("/proc/self/cgroup", take_path, NULL);
  if (path == NULL) return NULL;
  char *own = find_line("/proc/self/mountinfo", take_mount, path);
  free(path);
  return own;
}

/* A descriptor or -errno. */
static int open_in(const char *dir, const char *name, int flags) {
  char *path;
  if (asprintf(&path, "%s/%s", dir, name) < 0) return -ENOMEM;
  int fd = lv_fd_open_at(AT_FDCWD, path, flags, 0);
  free(path);
  return fd;
}

int lv_cgroup_lock(const char *dir) {
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  int rc = -errno;
  close(fd);
  return rc;
}

/* A child that does no more than that: its end takes it out again. */
bool lv_cgroup_can_enter(const char *dir) {
  int fd = open_in(dir, "cgroup.procs", O_WRONLY);
  if (fd < 0) return false;
  int status = 1;
  pid_t pid = fork();
  if (pid == 0) _exit(write(fd, "0", 1) == 1 ? 0 : 1);
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  close(fd);
  return pid > 0 && status == 0;
}

bool lv_cgroup_is_populated(const char *dir) {
  int fd = open_in(dir, "cgroup.events", O_RDONLY);
  if (fd < 0) return fd != -ENOENT;
  char text[128];
  ssize_t n = lv_fd_read(fd, text, sizeof text - 1);
  close(fd);
  text[n > 0 ? n : 0] = '\0';
  return strstr(text, "populated 1\n") != NULL;
}

/* A folder has a link for each folder in it, and two of its own. */
static bool has_no_folders(const char *dir) {
  struct stat st;
  return stat(dir, &st) == 0 && st.st_nlink == 2;
}

int lv_cgroup_each(const char *dir, int (*fn)(const char *sub, void *arg),
                   void *arg) {
  if (has_no_folders(dir)) return 0;
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
  int fd = open_in(dir, "cgroup.procs", O_RDONLY);
  if (fd < 0) return fd == -ENOENT ? 0 : fd;
  int rc = lv_pids_read(to, fd);
  return rc < 0 ? rc : lv_cgroup_each(dir, add_members, to);
}

int lv_cgroup_members(lv_pids *to, const char *dir) {
  return add_members(dir, to);
}

int lv_cgroup_kill(const char *dir) {
  int fd = open_in(dir, "cgroup.kill", O_WRONLY);
  if (fd < 0) return fd;
  int rc = write(fd, "1", 1) == 1 ? 0 : -errno;
  close(fd);
  return rc;
}

int lv_cgroup_remove_empty(const char *dir) {
  return rmdir(dir) == 0 || errno == ENOENT ? 0 : -errno;
}

static int remove_one(const char *dir, void *unused) {
  int rc = lv_cgroup_remove_empty(dir);
  if (rc == 0) return 0;
  rc = lv_cgroup_each(dir, remove_one, unused);
  return rc < 0 ? rc : lv_cgroup_remove_empty(dir);
}

int lv_cgroup_remove(const char *dir) {
  return remove_one(dir, NULL);
}
