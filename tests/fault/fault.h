/* tests/fault/fault.h — The n-th call of a function fails, on demand.
 *
 * The program is linked a second time, with --wrap of each function below
 * src/ that can fail: such a call comes to wrap.c first, which asks here
 * whether it is to fail. calls.c says how each may. */
#ifndef LV_TESTS_FAULT_H
#define LV_TESTS_FAULT_H

#include <lua.h>
#include <stdbool.h>

/* What is wrapped, as X(name). */
#define LV_FAULT_CALLS(X)                                                      \
  X(calloc)                                                                    \
  X(clone) X(close) X(dup3) X(epoll_create1) X(epoll_ctl) X(eventfd) X(fcntl)  \
      X(fflush) X(fstat) X(fwrite) X(getcwd) X(getrlimit) X(grantpt) X(ioctl)  \
          X(kill) X(lua_alloc) X(lv_clone3) X(malloc) X(mmap) X(mprotect)      \
              X(open) X(openat) X(opendir) X(pipe2) X(poll) X(posix_openpt)    \
                  X(ptsname_r) X(read) X(readv) X(realloc) X(recvmsg)          \
                      X(sendmsg) X(setrlimit) X(sigaction) X(splice)           \
                          X(syscall) X(tcgetattr) X(tcsetattr) X(timer_create) \
                              X(unlockpt) X(uv_fs_read) X(uv_fs_write)         \
                                  X(uv_loop_init) X(uv_poll_init) X(waitpid)   \
                                      X(writev)

#define LV_FAULT_ID(name) LV_CALL_##name,
typedef enum { LV_CALL_none, LV_FAULT_CALLS(LV_FAULT_ID) } lv_call;

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
extern bool lv_fault_in_lua;

/* Count and fail what Lua allocates. */
void lv_fault_watch_lua(lua_State *L);

/* luvisor.fault */
int lv_open_fault(lua_State *L);

#endif
