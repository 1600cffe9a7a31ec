/* tests/fault/fault.h — The n-th call of a function fails, on demand.
 *
 * The program is linked a second time, with --wrap of each function below
 * src/ that can fail: such a call comes to wrap.c first, which asks here
 * whether it is to fail. calls.c says how each may. */
#ifndef LV_TESTS_FAULT_H
#define LV_TESTS_FAULT_H

#include <lua.h>
#include <stdbool.h>

/* What is wrapped. */
typedef enum {
  LV_CALL_none,
  LV_CALL_accept4,
  LV_CALL_bind,
  LV_CALL_calloc,
  LV_CALL_chmod,
  LV_CALL_clone,
  LV_CALL_close,
  LV_CALL_connect,
  LV_CALL_dup3,
  LV_CALL_epoll_create1,
  LV_CALL_epoll_ctl,
  LV_CALL_eventfd,
  LV_CALL_fchmod,
  LV_CALL_fcntl,
  LV_CALL_fdopendir,
  LV_CALL_fflush,
  LV_CALL_fstat,
  LV_CALL_fstatat,
  LV_CALL_fsync,
  LV_CALL_ftruncate,
  LV_CALL_fwrite,
  LV_CALL_getcwd,
  LV_CALL_getrlimit,
  LV_CALL_getsockname,
  LV_CALL_getsockopt,
  LV_CALL_grantpt,
  LV_CALL_inotify_add_watch,
  LV_CALL_inotify_init1,
  LV_CALL_ioctl,
  LV_CALL_kill,
  LV_CALL_listen,
  LV_CALL_lstat,
  LV_CALL_lua_alloc,
  LV_CALL_lv_clone3,
  LV_CALL_malloc,
  LV_CALL_mkdir,
  LV_CALL_mkdtemp,
  LV_CALL_mmap,
  LV_CALL_mprotect,
  LV_CALL_open,
  LV_CALL_openat,
  LV_CALL_opendir,
  LV_CALL_pipe2,
  LV_CALL_poll,
  LV_CALL_posix_openpt,
  LV_CALL_ptsname_r,
  LV_CALL_read,
  LV_CALL_readlink,
  LV_CALL_readv,
  LV_CALL_realloc,
  LV_CALL_realpath,
  LV_CALL_recvmsg,
  LV_CALL_rename,
  LV_CALL_renameat,
  LV_CALL_sendmsg,
  LV_CALL_setrlimit,
  LV_CALL_setsockopt,
  LV_CALL_shutdown,
  LV_CALL_sigaction,
  LV_CALL_socket,
  LV_CALL_splice,
  LV_CALL_stat,
  LV_CALL_symlink,
  LV_CALL_syscall,
  LV_CALL_tcgetattr,
  LV_CALL_tcsetattr,
  LV_CALL_timer_create,
  LV_CALL_unlink,
  LV_CALL_unlinkat,
  LV_CALL_unlockpt,
  LV_CALL_uv_fs_read,
  LV_CALL_uv_fs_write,
  LV_CALL_uv_getaddrinfo,
  LV_CALL_uv_loop_init,
  LV_CALL_uv_poll_init,
  LV_CALL_waitpid,
  LV_CALL_writev,
} lv_call;

enum { LV_ANY = -1, LV_FAULT_SHORT = -1, LV_FAULT_LISTED = 12 };

/* How a call may fail. request tells calls apart that are many in one. Each
 * list ends with 0. */
typedef struct {
  const char *name;
  lv_call call;
  long request;
  int raised[LV_FAULT_LISTED];   /* errnos that the script must hear of */
  int survived[LV_FAULT_LISTED]; /* that nobody needs to notice */
  int either[LV_FAULT_LISTED];   /* there is another way, in places */
} lv_fault_site;

extern const lv_fault_site lv_fault_sites[];
extern const int lv_fault_nsites;

/* From its nth on, `times` calls at this site fail with `error`, an errno or
 * LV_FAULT_SHORT: transfer one byte only. nth 0 fails nothing, but counts. */
void lv_fault_arm(const lv_fault_site *site, unsigned nth, unsigned times,
                  int error);
/* How many calls were made since it was armed, and how many of them failed. */
void lv_fault_disarm(unsigned *calls, unsigned *failed);

/* For the wrappers: 0, or what the call is to fail with; errno is set to it. */
int lv_fault_due(lv_call call, long request);
/* While Lua's allocator is at work, which is a site of its own. */
extern _Thread_local bool lv_fault_in_lua;

/* Count and fail what Lua allocates. */
void lv_fault_watch_lua(lua_State *L);

/* luvisor.fault */
int lv_open_fault(lua_State *L);

#endif
