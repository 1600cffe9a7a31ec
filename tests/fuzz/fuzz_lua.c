/* fuzz_lua.c — Fuzz a Lua function: `fuzz_lua --target=FILE …`.
 *
 * FILE returns a function. It is called with each input, a string, as a task of
 * a program of its own, and may wait. An error that it raises is a find, and so
 * is a deadlock. libFuzzer sees which lines of Lua an input reaches as it sees
 * what it reaches in C. */
#include "bind/host.h"
#include "bind/task.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's names. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static lv_host host;
static const char TARGET = 0; /* the function's key in the registry */

/* ---- the lines that are reached ---- */

enum { COUNTERS = 1 << 14 };

/* libFuzzer finds it by its section's name, and clears it before each input. */
static uint8_t counters[COUNTERS]
    __attribute__((section("__libfuzzer_extra_counters"), used));

/* Called for each line: it is itself neither counted nor checked. */
#define BARE __attribute__((no_sanitize("coverage", "address", "undefined")))

BARE static unsigned hash(const char *text) {
  unsigned h = 5381;
  for (; *text != '\0'; text++)
    h = 33 * h + (unsigned char)*text;
  return h;
}

/* A pair of lines, one run after the other, has a counter. */
BARE static void on_line(lua_State *L, lua_Debug *ar) {
  static unsigned previous;
  lua_getinfo(L, "S", ar);
  unsigned here = hash(ar->short_src) + 31 * (unsigned)ar->currentline;
  uint8_t *counter = &counters[(here ^ (previous >> 1)) % COUNTERS];
  if (*counter < UINT8_MAX) ++*counter;
  previous = here;
}

/* ---- the program ---- */

static void give_up(const char *why) {
  fprintf(stderr, "fuzz_lua: %s\n", why);
  exit(2);
}

static void load_target(const char *path) {
  lua_State *L = host.L;
  if (luaL_dofile(L, path) != LUA_OK) give_up(lua_tostring(L, -1));
  if (!lua_isfunction(L, -1)) give_up("the target returns no function");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &TARGET);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  static const char option[] = "--target=";
  const char *path = NULL;
  for (int i = 1; i < *argc; i++)
    if (strncmp((*argv)[i], option, sizeof option - 1) == 0)
      path = (*argv)[i] + sizeof option - 1;
  if (path == NULL) give_up("--target=FILE is missing");
  if (lv_host_init(&host, 1, *argv) < 0) give_up("no host");
  load_target(path);
  lua_sethook(host.L, on_line, LUA_MASKLINE, 0); /* of all coroutines, too */
  return 0;
}

/* ---- an input ---- */

static void find(const char *what) {
  fprintf(stderr, "fuzz_lua: %s\n", what);
  abort();
}

static bool may_go_on(void) {
  return !lv_list_is_empty(&host.ready) || uv_loop_alive(&host.rt.loop);
}

static void run_tasks(void) {
  while (host.root.ntasks > 0) {
    lv_run_ready(&host);
    if (host.root.ntasks == 0) return;
    if (!may_go_on()) find("a deadlock");
    bool ready = !lv_list_is_empty(&host.ready);
    uv_run(&host.rt.loop, ready ? UV_RUN_NOWAIT : UV_RUN_ONCE);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *L = host.L;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &TARGET);
  lua_pushlstring(L, (const char *)data, size);
  lv_task_spawn(L, &host.root, 1);
  lua_pop(L, 1);
  run_tasks();
  if (lv_scope_print_errors(&host.root, "") > 0) find("an error");
  return 0;
}
