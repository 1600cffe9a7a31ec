/* bind/pool.c — What worker processes need of the system: to be this program,
 * to talk by two pipes of their own, to die when they are told to.
 * @module luvisor.core.pool */
#include "bind/error.h"
#include "bind/host.h"
#include "bind/modules.h"
#include "bind/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

enum { INPUT = 3, OUTPUT = 4 }; /* a worker's descriptors */

enum { AWAKE_NS = 50000 };

/*** pool.check_wait()
 * Raises what a wait of the calling task would: Cancelled; UsageError where
 * nothing can wait. */
static int l_check_wait(lua_State *L) {
  lv_task_check(L);
  return 0;
}

/*** pool.executable() -> string
 * This program's file. If that was replaced, the one that we still have. */
static int l_executable(lua_State *L) {
  static const char SELF[] = "/proc/self/exe";
  char path[PATH_MAX];
  ssize_t n = readlink(SELF, path, sizeof path - 1);
  if (n < 0) return lv_raise_os(L, -errno, "readlink", SELF);
  path[n] = '\0';
  lua_pushstring(L, access(path, X_OK) == 0 ? path : SELF);
  return 1;
}

static lv_io own(lua_State *L, int fd) {
  lv_io io = {.fd = -1};
  int rc = fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ? -errno : 0;
  if (rc == 0) rc = lv_io_own(fd, &io);
  if (rc < 0) lv_raise_os(L, rc, "open", "the worker's pipes");
  return io;
}

/*** pool.attach() -> Reader, Writer
 * In a worker: what comes from its pool, and goes there. From now on SIGNAL
 * ends the worker and its children at once, whatever it does. */
static int l_attach(lua_State *L) {
  lv_rt *rt = &lv_host_of(L)->rt;
  lv_reader_box *r = lv_push_reader_box(L);
  lv_writer_box *w = lv_push_writer_box(L);
  lv_io in = own(L, INPUT), out = own(L, OUTPUT);
  int rc = lv_reader_box_open(r, rt, in, LV_READER_LIMIT);
  if (rc == 0) rc = lv_writer_box_open(w, rt, out);
  if (rc == 0) rc = lv_sigs_set_fatal(SIGRTMAX - 1);
  return rc == 0 ? 2 : lv_raise_os(L, rc, "open", "the worker's pipes");
}

/*** pool.set_bulk(reader, on)
 * On while much is to come: it is read in big pieces. */
static int l_set_bulk(lua_State *L) {
  lv_check_reader(L, 1)->r->bulk = lua_toboolean(L, 2);
  return 0;
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/*** pool.stay_awake()
 * In a worker that has answered: look for the next call for as long as it takes
 * to be put to sleep and woken, leaving the processor to whoever wants it. Who
 * calls again and again is served more than twice as fast. */
static int l_stay_awake(lua_State *L) {
  struct pollfd input = {.fd = INPUT, .events = POLLIN};
  int64_t end = nanoseconds() + AWAKE_NS;
  (void)L;
  while (poll(&input, 1, 0) == 0 && nanoseconds() < end)
    sched_yield();
  return 0;
}

int lv_open_pool(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"attach", l_attach},         {"check_wait", l_check_wait},
      {"executable", l_executable}, {"set_bulk", l_set_bulk},
      {"stay_awake", l_stay_awake}, {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_pushinteger(L, INPUT);
  lua_setfield(L, -2, "INPUT");
  lua_pushinteger(L, OUTPUT);
  lua_setfield(L, -2, "OUTPUT");
  lua_pushinteger(L, SIGRTMAX - 1);
  lua_setfield(L, -2, "SIGNAL");
  return 1;
}
