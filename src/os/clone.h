/* os/clone.h — A child process on a stack of its own: clone(2) and clone3(2).
 * For spawn.c alone; see there for why not fork. */
#ifndef LV_OS_CLONE_H
#define LV_OS_CLONE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct {
  int (*fn)(void *arg); /* runs in the child, and never returns */
  void *arg;
  char *stack; /* its lowest byte */
  size_t stack_size;
  bool share;     /* our memory is the child's too, and we stand still until it
                 executes a program or ends; false: as fork(2) */
  bool share_fds; /* our descriptors are the child's too, until it has execve or
                     close_range(2) give it a table of its own */
  int *pidfd; /* becomes a CLOEXEC pidfd; left alone by a kernel that has none;
                 NULL: not wanted */
  int cgroup; /* for lv_clone3: fd of the cgroup v2 directory it is born in; or
                 -1 */
} lv_clone_opts;

/* The child's pid or -errno. */
pid_t lv_clone(const lv_clone_opts *opts);

/* The same by clone3: the signals that we catch are default in the child (those
 * that we ignore it ignores too). -ENOSYS also on processors for which we have
 * no assembler. */
pid_t lv_clone3(const lv_clone_opts *opts);

#endif
