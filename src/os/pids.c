/* os/pids.c — See pids.h. */
#include "os/pids.h"

#include <errno.h>
#include <stdlib.h>

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

int lv_pids_read(lv_pids *p, FILE *file) {
  char *line = NULL;
  size_t room = 0;
  int rc = 0;
  while (rc == 0 && getline(&line, &room, file) > 0)
    rc = add_numbers(p, line);
  free(line);
  fclose(file);
  return rc;
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
