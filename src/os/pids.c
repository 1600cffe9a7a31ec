/* os/pids.c — See pids.h. */
#include "os/pids.h"

#include "os/fd.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int lv_pids_add(lv_pids *p, pid_t pid) {
  if (p->n == p->room) {
    size_t room = p->room ? p->room * 2 : 16;
    pid_t *list = realloc(p->list, room * sizeof *list);
    if (list == NULL) return -ENOMEM;
    p->list = list;
    p->room = room;
  }
  p->list[p->n++] = pid;
  return 0;
}

static int add_numbers(lv_pids *p, const char *text) {
  int rc = 0;
  char *end;
  for (; rc == 0; text = end) {
    long pid = strtol(text, &end, 10);
    if (end == text) break;
    if (pid > 0) rc = lv_pids_add(p, (pid_t)pid);
  }
  return rc;
}

enum { PAGE = 4096 };

/* Add the numbers of a text but for one that its end may have cut, which is
 * moved to its start. How long that is, or -ENOMEM. */
static ssize_t add_whole(lv_pids *p, char *text, size_t n) {
  size_t whole = n;
  while (whole > 0 && isdigit((unsigned char)text[whole - 1]))
    whole--;
  if (whole > 0) text[whole - 1] = '\0';
  int rc = whole > 0 ? add_numbers(p, text) : 0;
  memmove(text, text + whole, n - whole);
  return rc < 0 ? rc : (ssize_t)(n - whole);
}

/* The kernel fills each page as far as whole numbers fit: one that is not half
 * full is the last. */
int lv_pids_read(lv_pids *p, int fd) {
  char text[PAGE + 1];
  ssize_t kept = 0, n;
  do {
    n = lv_fd_read(fd, text + kept, PAGE - (size_t)kept);
    if (n > 0) kept = add_whole(p, text, (size_t)(kept + n));
  } while (kept >= 0 && n > PAGE / 2);
  close(fd);
  if (kept < 0) return (int)kept;
  text[kept] = '\0';
  return add_numbers(p, text);
}

static int by_number(const void *a, const void *b) {
  pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
  return (x > y) - (x < y);
}

void lv_pids_sort(lv_pids *p) {
  if (p->n > 1) qsort(p->list, p->n, sizeof *p->list, by_number);
}

bool lv_pids_has(const lv_pids *p, pid_t pid) {
  return p->n > 0 &&
         bsearch(&pid, p->list, p->n, sizeof *p->list, by_number) != NULL;
}

void lv_pids_fini(lv_pids *p) {
  free(p->list);
  *p = (lv_pids){0};
}
