/* fuzz_signame.c — Fuzz the names of signals (os/signame.c): what is parsed,
 * formatted and parsed again is the same; "SIG" and case make no difference;
 * libc knows no name that we do not. */
#include "os/signame.h"

#include <assert.h>
#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 64 };

static void check_number(int signum) {
  const char *name = lv_signame_format(signum);
  if (name) assert(lv_signame_parse(name) == signum);
  bool exists = signum >= 1 && signum <= SIGRTMAX;
  assert((name != NULL) == exists);
}

/* libc's own table, as another opinion. */
static int find_in_libc(const char *name) {
  for (int i = 1; i < __SIGRTMIN; i++) {
    const char *known = sigabbrev_np(i);
    if (known && strcasecmp(known, name) == 0) return i;
  }
  return -1;
}

static bool has_prefix(const char *name) {
  return strncasecmp(name, "SIG", 3) == 0;
}

static void check_name(const char *name) {
  int signum = lv_signame_parse(name);
  assert(signum == -1 || (signum >= 1 && signum <= SIGRTMAX));
  if (signum > 0) check_number(signum);

  char other[MOST + 4], *end = other + sprintf(other, "sig%s", name);
  int with_prefix = lv_signame_parse(other);
  assert(with_prefix == (has_prefix(name) ? -1 : signum));

  for (char *c = other + 3; c < end; c++)
    *c = (char)(islower((unsigned char)*c) ? toupper((unsigned char)*c)
                                           : tolower((unsigned char)*c));
  assert(lv_signame_parse(other + 3) == signum);

  int known = find_in_libc(has_prefix(name) ? name + 3 : name);
  if (known > 0) assert(signum == known);
}

/* The input is a name; its first bytes are a number as well. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char name[MOST] = {0};
  memcpy(name, data, size < MOST ? size : MOST - 1);
  check_name(name);

  int signum = 0;
  memcpy(&signum, data, size < sizeof signum ? size : sizeof signum);
  check_number(signum);
  check_number(signum % 80);
  return 0;
}
