/* os/pids.h — A growing list of process numbers. Zeroed memory is empty. */
#ifndef LV_OS_PIDS_H
#define LV_OS_PIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct {
  pid_t *list;
  size_t n, room;
} lv_pids;

int lv_pids_add(lv_pids *p, pid_t pid); /* 0 or -ENOMEM */

/* Add the numbers that stand in a file of the kernel's; 0, which stands for a
 * process of another namespace, is left out. The file is closed. 0 or -ENOMEM.
 */
int lv_pids_read(lv_pids *p, int fd);

void lv_pids_sort(lv_pids *p);
bool lv_pids_has(const lv_pids *p, pid_t pid); /* which is sorted */
void lv_pids_fini(lv_pids *p);

#endif
