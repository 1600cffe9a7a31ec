/* os/proctree.c — See proctree.h.
 *
 * Where the kernel lists the children of a process, a tree is walked from its
 * top, which costs as much as the tree is big. Else /proc/PID/stat of all that
 * there is must be read. Both ways a process that is just losing its parent
 * can be missed. */
#include "os/proctree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

static bool is_shortage(int rc) {
  return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM;
}

static int add(lv_proctree *t, pid_t pid, bool dead_too) {
  if (t->n == t->room) {
    size_t room = t->room ? t->room * 2 : 16;
    lv_procstat *list = realloc(t->list, room * sizeof *list);
    if (list == NULL) return -ENOMEM;
    t->list = list;
    t->room = room;
  }
  int rc = lv_procstat_read(&t->list[t->n], pid);
  if (rc == 0 && (dead_too || !lv_procstat_is_dead(&t->list[t->n]))) t->n++;
  return is_shortage(rc) ? rc : 0;
}

static int by_parent(const void *a, const void *b) {
  const lv_procstat *x = a, *y = b;
  return (x->ppid > y->ppid) - (x->ppid < y->ppid);
}

static int read_all(lv_proctree *t, bool dead_too) {
  DIR *dir = opendir("/proc");
  int rc = dir ? 0 : -errno;
  struct dirent *entry;
  while (rc == 0 && (entry = readdir(dir)) != NULL)
    if (isdigit((unsigned char)entry->d_name[0]))
      rc = add(t, (pid_t)strtol(entry->d_name, NULL, 10), dead_too);
  if (dir) closedir(dir);
  if (t->n > 1) qsort(t->list, t->n, sizeof *t->list, by_parent);
  return rc;
}

int lv_proctree_all(lv_proctree *t) {
  return read_all(t, false);
}

size_t lv_proctree_first(const lv_proctree *all, pid_t parent) {
  size_t low = 0, high = all->n;
  while (low < high) {
    size_t mid = (low + high) / 2;
    if (all->list[mid].ppid < parent)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

static int find_children(lv_pids *to, const lv_proctree *all, pid_t parent) {
  int rc = 0;
  size_t i = lv_proctree_first(all, parent);
  for (; rc == 0 && i < all->n && all->list[i].ppid == parent; i++)
    rc = lv_pids_add(to, all->list[i].pid);
  return rc;
}

int lv_proctree_children(lv_pids *to, pid_t parent) {
  int rc = lv_proc_children(to, parent, 0);
  if (rc != -ENOSYS) return rc;
  lv_proctree all = {0};
  rc = read_all(&all, true);
  if (rc == 0) rc = find_children(to, &all, parent);
  lv_proctree_fini(&all);
  return rc;
}

/* Breadth first: what has been taken is the queue. `all` is NULL where the
 * kernel lists children. */
static int walk(lv_proctree *t, const lv_proctree *all) {
  lv_pids children = {0};
  int rc = 0;
  for (size_t next = 0; rc == 0 && next < t->n; next++) {
    const lv_procstat *parent = &t->list[next];
    children.n = 0;
    rc = all ? find_children(&children, all, parent->pid)
             : lv_proc_children(&children, parent->pid, parent->threads);
    for (size_t i = 0; rc == 0 && i < children.n; i++)
      rc = add(t, children.list[i], false);
  }
  lv_pids_fini(&children);
  return rc;
}

int lv_proctree_below(lv_proctree *t, const lv_pids *tops) {
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < tops->n; i++)
    rc = add(t, tops->list[i], false);
  size_t found = t->n;
  if (rc == 0) rc = walk(t, NULL);
  if (rc != -ENOSYS) return rc;
  t->n = found;
  lv_proctree all = {0};
  rc = lv_proctree_all(&all);
  if (rc == 0) rc = walk(t, &all);
  lv_proctree_fini(&all);
  return rc;
}

void lv_proctree_fini(lv_proctree *t) {
  free(t->list);
  *t = (lv_proctree){0};
}
