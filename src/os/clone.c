/* os/clone.c — The two system calls that make a child.
 *
 * clone has a wrapper in glibc. clone3 has none that we may call, and through
 * syscall(2) it cannot work: the child would return on an empty stack. So it
 * is called here in assembler, in which the child never comes back from the
 * inline block: it calls fn(arg) and exits.
 *
 * Neither touches thread-local storage: the child uses ours while we stand
 * still. */
#include "os/clone.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"

/* TSan's own clone does for its child what is right after a fork, and so, in
 * memory that is shared, makes its parent believe to be a child. __clone is
 * the same function of glibc's by a name that TSan does not know. */
#if LV_TSAN
extern __typeof__(clone) __clone;
#define clone __clone
#endif

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
/* Flags of clone3 alone; glibc's names are not everywhere. */
#define CLEAR_SIGHAND UINT64_C(0x100000000) /* Linux 5.5 */
#define INTO_CGROUP   UINT64_C(0x200000000) /* Linux 5.7 */

static int flags_for(const lv_clone_opts *opts) {
  int flags = opts->share ? CLONE_VM | CLONE_VFORK : 0;
  if (opts->share_fds) flags |= CLONE_FILES;
  return opts->pidfd == NULL ? flags : flags | CLONE_PIDFD;
}

pid_t lv_clone(const lv_clone_opts *opts) {
  char *top = opts->stack + opts->stack_size; /* stacks grow downwards */
  pid_t pid =
      clone(opts->fn, top, flags_for(opts) | SIGCHLD, opts->arg, opts->pidfd);
  return pid == -1 ? -errno : pid;
}

/* struct clone_args of clone3(2), as far as CLONE_INTO_CGROUP needs it. Our own
 * copy: the kernel's header may be older than the kernel. A kernel that is
 * older than a field takes it as long as it is 0. */
typedef struct {
  uint64_t flags;
  uint64_t pidfd;
  uint64_t child_tid;
  uint64_t parent_tid;
  uint64_t exit_signal;
  uint64_t stack;
  uint64_t stack_size;
  uint64_t tls;
  uint64_t set_tid;
  uint64_t set_tid_size;
  uint64_t cgroup;
} clone3_args;

#if defined SYS_clone3 && defined __x86_64__
#define HAVE_CLONE3 1

/* The kernel keeps all registers but rax, rcx and r11; the child has the same
 * ones and a new stack, 16-aligned as a call wants it. */
static long call_clone3(clone3_args *args, int (*fn)(void *), void *arg) {
  long result = SYS_clone3;
  register int (*r8)(void *) __asm__("r8") = fn;
  register void *r9 __asm__("r9") = arg;
  __asm__ volatile("syscall\n\t"
                   "test %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "xor %%ebp, %%ebp\n\t" /* the end of the child's frames */
                   "mov %%r9, %%rdi\n\t"
                   "call *%%r8\n\t"
                   "mov %%eax, %%edi\n\t"
                   "mov %[exit], %%eax\n\t"
                   "syscall\n\t"
                   "hlt\n"
                   "1:"
                   : "+a"(result)
                   : "D"(args), "S"(sizeof *args), "r"(r8),
                     "r"(r9), [exit] "i"(SYS_exit_group)
                   : "rcx", "r11", "cc", "memory");
  return result;
}

#elif defined SYS_clone3 && defined __aarch64__
#define HAVE_CLONE3 1

/* The kernel keeps all registers but x0. */
static long call_clone3(clone3_args *args, int (*fn)(void *), void *arg) {
  register long x0 __asm__("x0") = (long)args;
  register long x1 __asm__("x1") = (long)sizeof *args;
  register int (*x2)(void *) __asm__("x2") = fn;
  register void *x3 __asm__("x3") = arg;
  register long x8 __asm__("x8") = SYS_clone3;
  __asm__ volatile("svc #0\n\t"
                   "cbnz x0, 1f\n\t"
                   "mov x29, xzr\n\t" /* the end of the child's frames */
                   "mov x30, xzr\n\t"
                   "mov x0, x3\n\t"
                   "blr x2\n\t"
                   "mov x8, %[exit]\n\t"
                   "svc #0\n\t"
                   "brk #1\n"
                   "1:"
                   : "+r"(x0)
                   : "r"(x1), "r"(x2), "r"(x3),
                     "r"(x8), [exit] "i"(SYS_exit_group)
                   : "cc", "memory");
  return x0;
}

#endif

#ifdef HAVE_CLONE3

pid_t lv_clone3(const lv_clone_opts *opts) {
  clone3_args args = {
      .flags = (uint64_t)flags_for(opts) | CLEAR_SIGHAND,
      .pidfd = (uintptr_t)opts->pidfd,
      .exit_signal = SIGCHLD,
      .stack = (uintptr_t)opts->stack,
      .stack_size = opts->stack_size,
  };
  if (opts->cgroup >= 0) {
    args.flags |= INTO_CGROUP;
    args.cgroup = (uint64_t)opts->cgroup;
  }
  return (pid_t)call_clone3(&args, opts->fn, opts->arg);
}

#else

pid_t lv_clone3(const lv_clone_opts *opts) {
  (void)opts;
  return -ENOSYS;
}

#endif
