/* main.c — The command line: which Lua to run; then its exit code. */
#include "bind/host.h"
#include "os/guard.h"

#include <errno.h>
#include <lauxlib.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What to run is decided in Lua (lua/luvisor/cli): it can say it better. */
static int load_main(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "luvisor.cli.main");
  lua_call(L, 1, 1);
  return 1;
}

/* What could not be written is lost without a word, unless we ask. */
static int flush(int code) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return code;
  if (code != 0) return code;
  const char *why = errno != 0 ? strerror(errno) : "a write failed";
  fprintf(stderr, "luvisor: standard output: %s\n", why);
  return 1;
}

/* A chunk of 256 KiB would be mapped or trimmed away each time, and its pages
 * touched anew by the next: a quarter of what it costs to feed a child. */
static void keep_some_memory(void) {
#ifdef __GLIBC__
  enum { MIB = 1 << 20 };
  mallopt(M_MMAP_THRESHOLD, MIB);
  mallopt(M_TRIM_THRESHOLD, 4 * MIB);
#endif
}

int main(int argc, char **argv) {
  if (argc > 0 && strcmp(argv[0], LV_GUARD_NAME) == 0) return lv_guard_main();
  keep_some_memory();
  lv_host host;
  int rc = lv_host_init(&host, argc, argv);
  if (rc < 0) {
    fprintf(stderr, "luvisor: cannot start: %s\n", strerror(-rc));
    return 1;
  }
  lua_pushcfunction(host.L, load_main);
  if (lua_pcall(host.L, 0, 1, 0) != LUA_OK) {
    lv_host_warn_error(host.L, "");
    lv_host_fini(&host);
    return 1;
  }
  int code = lv_host_run(&host);
  lv_host_fini(&host);
  return flush(code);
}
