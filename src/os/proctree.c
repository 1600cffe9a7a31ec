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

static lv_procstat *make_room(lv_proctree *t) {
  if (t->n < t->room) return &t->list[t->n];
  size_t room = t->room ? t->room * 2 : 16;
  lv_procstat *list = realloc(t->list, room * sizeof *list);
  if (list == NULL) return NULL;
  t->list = list;
  t->room = room;
  return &list[t->n];
}

/* One that we may not look at is left out, like one that has gone. */
static int add(lv_proctree *t, pid_t pid, bool dead_too) {
  lv_procstat *stat = make_room(t);
  if (stat == NULL) return -ENOMEM;
  int rc = lv_procstat_read(stat, pid);
  if (rc == -ESRCH) t->lost_some = true;
  if (rc == 0 && (dead_too || !lv_procstat_is_dead(stat))) t->n++;
  return is_shortage(rc) ? rc : 0;
}

static int by_parent(const void *a, const void *b) {
  const lv_procstat *x = a, *y = b;
  return (x->ppid > y->ppid) - (x->ppid < y->ppid);
}

int lv_proctree_all(lv_proctree *t) {
  DIR *dir = opendir("/proc");
  if (dir == NULL) return -errno;
  int rc = 0;
  struct dirent *entry;
  while (rc == 0 && (entry = readdir(dir)) != NULL)
    if (isdigit((unsigned char)entry->d_name[0]))
      rc = add(t, (pid_t)strtol(entry->d_name, NULL, 10), true);
  closedir(dir);
  if (t->n > 1) qsort(t->list, t->n, sizeof *t->list, by_parent);
  return rc;
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

int lv_proctree_children(lv_pids *to, pid_t parent, const lv_proctree *all) {
  if (all == NULL) return lv_proc_children(to, parent, 0);
  int rc = 0;
  size_t i = lv_proctree_first(all, parent);
  for (; rc == 0 && i < all->n && all->list[i].ppid == parent; i++)
    rc = lv_pids_add(to, all->list[i].pid);
  return rc;
}

static int take_children(lv_proctree *t, pid_t parent, const lv_proctree *all) {
  size_t i = lv_proctree_first(all, parent);
  for (; i < all->n && all->list[i].ppid == parent; i++) {
    if (lv_procstat_is_dead(&all->list[i])) continue;
    lv_procstat *stat = make_room(t);
    if (stat == NULL) return -ENOMEM;
    *stat = all->list[i];
    t->n++;
  }
  return 0;
}

static int read_children(lv_proctree *t, pid_t parent, int threads) {
  lv_pids children = {0};
  int rc = lv_proc_children(&children, parent, threads);
  for (size_t i = 0; rc == 0 && i < children.n; i++)
    rc = add(t, children.list[i], false);
  lv_pids_fini(&children);
  return rc;
}

/* Breadth first: what has been taken is the queue. */
int lv_proctree_below(lv_proctree *t, const lv_pids *tops,
                      const lv_proctree *all) {
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < tops->n; i++)
    rc = add(t, tops->list[i], false);
  for (size_t next = 0; rc == 0 && next < t->n; next++) {
    pid_t parent = t->list[next].pid;
    rc = all ? take_children(t, parent, all)
             : read_children(t, parent, t->list[next].threads);
  }
  return rc;
}

void lv_proctree_fini(lv_proctree *t) {
  free(t->list);
  *t = (lv_proctree){0};
}
