/* tests/c/tap.h — TAP 14 for tests in C.
 *
 * A test is a function without arguments, named as a claim. run(claim) makes
 * it a subtest and then adds points of its own: it leaves no descriptor open
 * and no child, be it alive or a zombie. main ends with return tap_done().
 *
 * The version line is left out: prove(1) of Perl 5.36 takes subtests as it
 * should but fails a file that says more than 13. */
#ifndef LV_TESTS_TAP_H
#define LV_TESTS_TAP_H

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/compiler.h"

static int tap_tests, tap_failed_tests, tap_points, tap_failed_points;

#define ok(...)     tap_ok(__FILE__, __LINE__, __VA_ARGS__)
#define is_int(...) tap_is_int(__FILE__, __LINE__, __VA_ARGS__)
#define is_str(...) tap_is_str(__FILE__, __LINE__, __VA_ARGS__)
#define run(test)   tap_run(#test, test)

LV_PRINTF(4, 0)
static inline bool tap_point(const char *file, int line, bool good,
                             const char *fmt, va_list args) {
  printf("    %sok %d - ", good ? "" : "not ", ++tap_points);
  vprintf(fmt, args);
  printf("\n");
  if (!good) printf("    # at %s:%d\n", file, line);
  if (!good) tap_failed_points++;
  return good;
}

LV_PRINTF(4, 5)
static inline bool tap_ok(const char *file, int line, bool good,
                          const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  tap_point(file, line, good, fmt, args);
  va_end(args);
  fflush(stdout); /* or a forked child would write it again */
  return good;
}

LV_PRINTF(5, 6)
static inline void tap_is_int(const char *file, int line, long long got,
                              long long want, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  if (!tap_point(file, line, got == want, fmt, args))
    printf("    # got %lld, want %lld\n", got, want);
  va_end(args);
  fflush(stdout);
}

LV_PRINTF(5, 6)
static inline void tap_is_str(const char *file, int line, const char *got,
                              const char *want, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  if (got == NULL) got = "(null)";
  if (!tap_point(file, line, strcmp(got, want) == 0, fmt, args))
    printf("    # got '%s', want '%s'\n", got, want);
  va_end(args);
  fflush(stdout);
}

/* A point that cannot be tried here. */
static inline void tap_skip(const char *why) {
  printf("    ok %d # SKIP %s\n", ++tap_points, why);
}

static inline int tap_count_fds(void) {
  int n = 0;
  DIR *dir = opendir("/proc/self/fd");
  while (dir != NULL && readdir(dir) != NULL)
    n++;
  if (dir != NULL) closedir(dir);
  return n;
}

static inline void tap_run(const char *name, void (*test)(void)) {
  int fds = tap_count_fds();
  tap_points = tap_failed_points = 0;
  printf("# Subtest: %s\n", name);
  test();
  is_int(tap_count_fds(), fds, "leaves no descriptor open");
  siginfo_t info;
  ok(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 &&
         errno == ECHILD,
     "leaves no child");
  printf("    1..%d\n", tap_points);
  printf("%sok %d - ", tap_failed_points == 0 ? "" : "not ", ++tap_tests);
  for (; *name != '\0'; name++)
    putchar(*name == '_' ? ' ' : *name);
  putchar('\n');
  if (tap_failed_points > 0) tap_failed_tests++;
  fflush(stdout);
}

static inline int tap_done(void) {
  printf("1..%d\n", tap_tests);
  return tap_failed_tests > 0;
}

#endif
