/* os/signame.h — Signals by name: "TERM", "SIGTERM", "RTMIN+1" and back. */
#ifndef LV_OS_SIGNAME_H
#define LV_OS_SIGNAME_H

/* The number, or -1 for a name that is none. Case matters not. */
int lv_signame_parse(const char *name);

/* "TERM" for 15; real-time ones are "RTMIN+n", but for libc's own, which are
 * "32" and so on; NULL if there is no such. */
const char *lv_signame_format(int signum);

#endif
