/* os/spawn.h — Start a program as a child process without copying our memory.
 * See spawn.c for how; core/proc.h for what is made of it. */
#ifndef LV_OS_SPAWN_H
#define LV_OS_SPAWN_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* What spawning keeps between children: the child's stack, and what was found
 * out about the kernel. One per runtime, used by one thread. */
typedef struct lv_spawner lv_spawner;

typedef struct {
  int target; /* its number in the child */
  int source; /* our descriptor; still ours afterwards */
} lv_fd_map;

typedef struct {
  int resource; /* RLIMIT_* */
  struct rlimit limit;
} lv_limit;

enum { LV_PID_ROOM = 12 }; /* digits and a zero */

/* All memory is borrowed during lv_spawn only. Start from LV_SPAWN_OPTS_INIT:
 * then the child differs from us in nothing but what every child gets: default
 * signal dispositions, an empty signal mask, no descriptor but those of `fds`.
 */
typedef struct {
  char *const *files; /* up to NULL; tried in turn, as execvp(3) walks PATH */
  char *const *argv;
  char *const *envp;    /* NULL: ours */
  char *const *pids;    /* up to NULL, or NULL: places in envp's strings with
                           room for LV_PID_ROOM bytes, for the child's pid */
  const lv_fd_map *fds; /* targets are distinct, in any order */
  size_t nfds;
  const char *cwd;
  const char *chroot; /* before cwd, which is then inside it */
  bool session;       /* setsid */
  pid_t pgroup;       /* -1: ours, 0: a new one, > 0: that one */
  int foreground;     /* our fd of a terminal whose foreground group it becomes;
                         or -1 */
  int ctty;           /* source fd that becomes its controlling terminal (needs
                         session); or -1 */
  int cgroup;         /* fd of the cgroup v2 directory it starts in; or -1 */
  const uid_t *uid;   /* NULL: ours, as gid and groups */
  const gid_t *gid;
  const gid_t *groups;
  size_t ngroups;  /* meaningful if groups is not NULL; 0 drops them all */
  int umask;       /* -1: ours */
  const int *nice; /* the nice value itself, not an increment */
  const lv_limit *limits;
  size_t nlimits;
  const int *oom_score_adj;
  const cpu_set_t *cpus;
  bool no_new_privs;
  int pdeathsig;     /* 0: none. Set last, as setuid clears it */
  bool keep_sigpipe; /* ignored, as we ignore it */
} lv_spawn_opts;

#define LV_SPAWN_OPTS_INIT \
  { .pgroup = -1, .foreground = -1, .ctty = -1, .cgroup = -1, .umask = -1 }

typedef struct {
  pid_t pid;
  int pidfd;      /* CLOEXEC; -1 where the kernel has none */
  const char *op; /* after a failure: what failed, as "exec" or "chdir" */
} lv_spawned;

/* 0 or -errno. use_pidfd = false makes it behave as on a kernel without. */
int lv_spawner_new(lv_spawner **out, bool use_pidfd);
void lv_spawner_free(lv_spawner *sp); /* NULL is fine */

/* Those who ignore a signal later than lv_spawner_new must say so, or children
 * may ignore it, too. To ask each time would take 12 µs. */
void lv_spawner_note_ignored(lv_spawner *sp, int signum);

/* For tests: from now on behave as where these are lacking. */
enum {
  LV_LACKS_PIDFD = 1,
  LV_LACKS_SHARED_MEMORY = 2, /* clone copies our memory, as under valgrind */
  LV_LACKS_INTO_CGROUP = 4,
  LV_LACKS_CLOSE_RANGE = 8,
  LV_LACKS_CLONE3 = 16,
  LV_LACKS_UNSHARE = 32, /* or close_range(2) does it badly */
  LV_LACKS_ROOM = 64     /* no kernel: many descriptors are open, all high */
};
void lv_spawner_pretend(lv_spawner *sp, unsigned lacks);

/* 0 once the child has executed its program; else -errno with out->op set, and
 * no child and no descriptor left behind. Blocks until the exec. */
int lv_spawn(lv_spawner *sp, const lv_spawn_opts *opts, lv_spawned *out);

#endif
