/* os/cred.c — Users and groups by name or number.
 *
 * A name is looked up first, then taken as a number, as POSIX has chown do: a
 * user may be called "1000". The database's functions want a buffer of a size
 * that nobody can tell beforehand, so each is asked again with twice as much
 * while it says ERANGE. */
#include "os/cred.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* -1 is no id: to the system calls it means "leave it as it is". */
#define MAX_ID (UINT32_MAX - 1)

static bool parse_id(const char *text, uint32_t *out) {
  uint64_t id = 0;
  if (*text == '\0') return false;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9') return false;
    id = 10 * id + (uint64_t)(*text - '0');
    if (id > MAX_ID) return false;
  }
  *out = (uint32_t)id;
  return true;
}

/* getpwnam_r(3) lists codes that all mean "no such user". */
static int code_of(int error) {
  switch (error) {
  case 0:
  case ENOENT:
  case ESRCH:
  case EBADF:
  case EPERM: return -ENOENT;
  default: return -error;
  }
}

/* What a lookup needs and leaves. */
typedef struct {
  const char *name;
  uid_t uid; /* if name is NULL */
  struct passwd user;
  struct group group;
} query;

/* Each fills the query with the help of buf and returns true if it found
 * something; else *error says why not. */
typedef bool (*look_fn)(query *q, char *buf, size_t n, int *error);

static bool look_user_name(query *q, char *buf, size_t n, int *error) {
  struct passwd *found;
  *error = getpwnam_r(q->name, &q->user, buf, n, &found);
  return found != NULL;
}

static bool look_user_id(query *q, char *buf, size_t n, int *error) {
  struct passwd *found;
  *error = getpwuid_r(q->uid, &q->user, buf, n, &found);
  return found != NULL;
}

static bool look_group_name(query *q, char *buf, size_t n, int *error) {
  struct group *found;
  *error = getgrnam_r(q->name, &q->group, buf, n, &found);
  return found != NULL;
}

/* 0 and *buf, to be freed by the caller, to which q's strings point; or
 * -ENOENT or -errno, and no buffer. */
static int look(look_fn fn, query *q, char **buf) {
  int error = ERANGE;
  *buf = NULL;
  for (size_t n = 1024; error == ERANGE || error == EINTR; n *= 2) {
    char *more = realloc(*buf, n);
    error = ENOMEM;
    if (more == NULL) break;
    *buf = more;
    if (fn(q, *buf, n, &error)) return 0;
  }
  free(*buf);
  *buf = NULL;
  return code_of(error);
}

/* All groups of a user that the database has, the primary one among them. */
static int list_groups(const char *user, lv_cred *cred) {
  for (int room = 32;;) {
    gid_t *more = realloc(cred->groups, (size_t)room * sizeof *more);
    if (more == NULL) return -ENOMEM;
    cred->groups = more;
    int n = room;
    if (getgrouplist(user, cred->gid, cred->groups, &n) >= 0) {
      cred->ngroups = (size_t)n;
      return 0;
    }
    room = n > room ? n : 2 * room;
  }
}

/* A number without an entry. */
static int make_up(uint32_t id, lv_cred *out) {
  gid_t *groups = malloc(sizeof *groups);
  if (groups == NULL) return -ENOMEM;
  groups[0] = id;
  *out = (lv_cred){.uid = id, .gid = id, .groups = groups, .ngroups = 1};
  return 0;
}

static int find_user(const char *text, query *q, char **buf) {
  q->name = text;
  int rc = look(look_user_name, q, buf);
  if (rc != -ENOENT || !parse_id(text, &q->uid)) return rc;
  return look(look_user_id, q, buf);
}

int lv_cred_user(const char *name_or_number, lv_cred *out) {
  query q;
  char *buf;
  uint32_t id;
  int rc = find_user(name_or_number, &q, &buf);
  if (rc == -ENOENT && parse_id(name_or_number, &id)) return make_up(id, out);
  if (rc < 0) return rc;
  *out = (lv_cred){.uid = q.user.pw_uid, .gid = q.user.pw_gid};
  rc = list_groups(q.user.pw_name, out);
  free(buf);
  if (rc < 0) lv_cred_free(out);
  return rc;
}

int lv_cred_group(const char *name_or_number, gid_t *out) {
  query q = {.name = name_or_number};
  char *buf;
  int rc = look(look_group_name, &q, &buf);
  if (rc == -ENOENT && parse_id(name_or_number, out)) return 0;
  if (rc < 0) return rc;
  *out = q.group.gr_gid;
  free(buf);
  return 0;
}

void lv_cred_free(lv_cred *cred) {
  free(cred->groups);
  *cred = (lv_cred){0};
}
