/* os/cred.h — Users and groups by name or number. These ask the system's user
 * database and may block. */
#ifndef LV_OS_CRED_H
#define LV_OS_CRED_H

#include <stddef.h>
#include <sys/types.h>

typedef struct {
  uid_t uid;
  gid_t gid;     /* its primary group */
  gid_t *groups; /* all its groups, the primary one too; never NULL, which to
                    lv_spawn would mean "keep ours"; freed by lv_cred_free */
  size_t ngroups;
} lv_cred;

/* 0, -ENOENT for an unknown name (a number needs no entry: its group is then
 * the same number and it has no further ones), or -errno. */
int lv_cred_user(const char *name_or_number, lv_cred *out);
int lv_cred_group(const char *name_or_number, gid_t *out);
void lv_cred_free(lv_cred *cred);

#endif
