/* os/signame.c — Signals by name.
 *
 * A table, the preferred name of a number before its aliases. Real-time
 * signals are counted from SIGRTMIN, which only libc knows: it keeps the first
 * ones for itself, and their number is the only name that those have. A child
 * can die of them all the same. */
#include "os/signame.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static const struct {
  const char *name;
  int signum;
} names[] = {
    {"HUP", SIGHUP},
    {"INT", SIGINT},
    {"QUIT", SIGQUIT},
    {"ILL", SIGILL},
    {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT},
    {"BUS", SIGBUS},
    {"FPE", SIGFPE},
    {"KILL", SIGKILL},
    {"USR1", SIGUSR1},
    {"SEGV", SIGSEGV},
    {"USR2", SIGUSR2},
    {"PIPE", SIGPIPE},
    {"ALRM", SIGALRM},
    {"TERM", SIGTERM},
    {"CHLD", SIGCHLD},
    {"CONT", SIGCONT},
    {"STOP", SIGSTOP},
    {"TSTP", SIGTSTP},
    {"TTIN", SIGTTIN},
    {"TTOU", SIGTTOU},
    {"URG", SIGURG},
    {"XCPU", SIGXCPU},
    {"XFSZ", SIGXFSZ},
    {"VTALRM", SIGVTALRM},
    {"PROF", SIGPROF},
    {"WINCH", SIGWINCH},
    {"IO", SIGIO},
    {"PWR", SIGPWR},
    {"SYS", SIGSYS},
#ifdef SIGSTKFLT
    {"STKFLT", SIGSTKFLT},
#endif
    {"IOT", SIGABRT},
    {"CLD", SIGCHLD},
    {"POLL", SIGIO},
    {"32", 32},
    {"33", 33},
    {"34", 34},
};

/* Text and not arithmetic, so that format can return what nobody frees. */
static const char *const realtime[] = {
    "RTMIN",    "RTMIN+1",  "RTMIN+2",  "RTMIN+3",  "RTMIN+4",  "RTMIN+5",
    "RTMIN+6",  "RTMIN+7",  "RTMIN+8",  "RTMIN+9",  "RTMIN+10", "RTMIN+11",
    "RTMIN+12", "RTMIN+13", "RTMIN+14", "RTMIN+15", "RTMIN+16", "RTMIN+17",
    "RTMIN+18", "RTMIN+19", "RTMIN+20", "RTMIN+21", "RTMIN+22", "RTMIN+23",
    "RTMIN+24", "RTMIN+25", "RTMIN+26", "RTMIN+27", "RTMIN+28", "RTMIN+29",
    "RTMIN+30", "RTMIN+31", "RTMIN+32",
};

/* ASCII only: strcasecmp asks the locale, where "I" may be no capital "i". */
static int upper(char c) {
  return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

/* What follows `prefix` in text, or NULL if it does not start so. */
static const char *after(const char *text, const char *prefix) {
  for (; *prefix != '\0'; text++, prefix++)
    if (upper(*text) != *prefix) return NULL;
  return text;
}

/* "", or a sign and up to two digits, as an offset; or -1. */
static int parse_offset(const char *text, char sign) {
  if (*text == '\0') return 0;
  if (*text++ != sign || *text == '\0') return -1;
  int n = 0;
  for (; *text >= '0' && *text <= '9' && n < 10; text++)
    n = 10 * n + (*text - '0');
  return *text == '\0' ? n : -1;
}

static int parse_realtime(const char *name) {
  const char *rest = after(name, "RTMIN");
  bool from_min = rest != NULL;
  if (!from_min) rest = after(name, "RTMAX");
  if (rest == NULL) return -1;
  int offset = parse_offset(rest, from_min ? '+' : '-');
  if (offset < 0 || offset > SIGRTMAX - SIGRTMIN) return -1;
  return from_min ? SIGRTMIN + offset : SIGRTMAX - offset;
}

int lv_signame_parse(const char *name) {
  const char *bare = after(name, "SIG");
  if (bare == NULL) bare = name;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *rest = after(bare, names[i].name);
    if (rest != NULL && *rest == '\0') return names[i].signum;
  }
  return parse_realtime(bare);
}

static const char *format_realtime(int signum) {
  size_t offset = (size_t)(signum - SIGRTMIN);
  return offset < sizeof realtime / sizeof *realtime ? realtime[offset] : NULL;
}

const char *lv_signame_format(int signum) {
  if (signum >= SIGRTMIN && signum <= SIGRTMAX) return format_realtime(signum);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].signum == signum) return names[i].name;
  return NULL;
}
