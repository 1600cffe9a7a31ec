/* tests/fault/fault.c — See fault.h.
 *
 * lv_fault_due runs in signal handlers, and in new children that share our
 * memory, on a stack of their own: it calls nothing. */
#include "fault.h"

#include "base/compiler.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
  _Atomic lv_call call; /* none: nothing is armed */
  long request;
  unsigned nth, times;
  atomic_uint calls, failed;
  int error;
} armed;

_Thread_local bool lv_fault_in_lua;

LV_NO_SANITIZE int lv_fault_due(lv_call call, long request) {
  if (armed.call != call) return 0;
  if (armed.request != LV_ANY && armed.request != request) return 0;
  unsigned n = atomic_fetch_add(&armed.calls, 1) + 1;
  if (armed.nth == 0 || n < armed.nth || n - armed.nth >= armed.times) return 0;
  atomic_fetch_add(&armed.failed, 1);
  if (armed.error > 0) errno = armed.error;
  return armed.error;
}

void lv_fault_arm(const lv_fault_site *site, unsigned nth, unsigned times,
                  int error) {
  armed.call = LV_CALL_none;
  armed.request = site->request;
  armed.nth = nth;
  armed.times = times;
  armed.error = error;
  armed.calls = 0;
  armed.failed = 0;
  armed.call = site->call;
}

void lv_fault_disarm(unsigned *calls, unsigned *failed) {
  armed.call = LV_CALL_none;
  *calls = armed.calls;
  *failed = armed.failed;
}

static const lv_fault_site *find_site(const char *name) {
  for (int i = 0; i < lv_fault_nsites; i++)
    if (strcmp(lv_fault_sites[i].name, name) == 0) return &lv_fault_sites[i];
  return NULL;
}

/* LUVISOR_FAULT=site:nth:errno, for what comes before any script. */
__attribute__((constructor)) static void arm_by_environment(void) {
  const char *text = getenv("LUVISOR_FAULT");
  char name[64];
  unsigned nth;
  int error;
  if (text == NULL) return;
  int n = sscanf(text, "%63[^:]:%u:%d", name, &nth, &error);
  const lv_fault_site *site = n == 3 ? find_site(name) : NULL;
  if (site == NULL) {
    fprintf(stderr, "LUVISOR_FAULT: expected SITE:NTH:ERRNO, got %s\n", text);
    exit(2);
  }
  lv_fault_arm(site, nth, 1, error);
}
