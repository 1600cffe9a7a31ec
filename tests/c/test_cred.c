/* tests/c/test_cred.c — Users and groups by name or number. */
#include "os/cred.h"

#include <grp.h>
#include <pwd.h>

#include "tap.h"

static void a_user_is_found_by_name(void) {
  lv_cred cred;
  is_int(lv_cred_user("root", &cred), 0, "root exists");
  is_int(cred.uid, 0, "its number");
  is_int(cred.gid, 0, "its group");
  ok(cred.ngroups >= 1, "it has groups");
  lv_cred_free(&cred);
}

static void a_user_is_found_by_number(void) {
  lv_cred cred;
  is_int(lv_cred_user("0", &cred), 0, "0 exists");
  is_int(cred.uid, 0, "its number");
  is_int(cred.gid, 0, "its group");
  lv_cred_free(&cred);
}

static void has_group(const lv_cred *cred, gid_t gid, const char *name) {
  size_t i = 0;
  while (i < cred->ngroups && cred->groups[i] != gid)
    i++;
  ok(i < cred->ngroups, "%s is in group %u", name, (unsigned)gid);
}

static void everybody_gets_all_their_groups(void) {
  struct passwd *user;
  setpwent();
  while ((user = getpwent()) != NULL) {
    lv_cred cred;
    gid_t want[256];
    int n = 256;
    if (getgrouplist(user->pw_name, user->pw_gid, want, &n) < 0) continue;
    is_int(lv_cred_user(user->pw_name, &cred), 0, "%s exists", user->pw_name);
    is_int((int)cred.ngroups, n, "%s has as many groups", user->pw_name);
    for (int i = 0; i < n; i++)
      has_group(&cred, want[i], user->pw_name);
    has_group(&cred, user->pw_gid, user->pw_name);
    lv_cred_free(&cred);
  }
  endpwent();
}

static void a_number_needs_no_entry(void) {
  lv_cred cred;
  is_int(lv_cred_user("3999999999", &cred), 0, "a user that nobody made");
  is_int(cred.uid, 3999999999, "its number");
  is_int(cred.gid, 3999999999, "its group is the same number");
  is_int((int)cred.ngroups, 1, "it has no further ones");
  if (!ok(cred.groups != NULL, "and would not keep ours")) return;
  has_group(&cred, 3999999999, "it");
  lv_cred_free(&cred);
  gid_t gid;
  is_int(lv_cred_group("3999999999", &gid), 0, "a group that nobody made");
  is_int(gid, 3999999999, "its number");
}

static void a_group_is_found_by_name(void) {
  gid_t gid = 1;
  is_int(lv_cred_group("root", &gid), 0, "root exists");
  is_int(gid, 0, "its number");
}

static void other_words_are_no_users_or_groups(void) {
  static const char *const words[] = {
      "", "no such user", "-1", "0x0", "4294967295", "18446744073709551616",
  };
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    lv_cred cred;
    gid_t gid;
    is_int(lv_cred_user(words[i], &cred), -ENOENT, "user '%s'", words[i]);
    is_int(lv_cred_group(words[i], &gid), -ENOENT, "group '%s'", words[i]);
  }
}

static void freeing_twice_is_harmless(void) {
  lv_cred cred;
  is_int(lv_cred_user("root", &cred), 0, "root exists");
  lv_cred_free(&cred);
  lv_cred_free(&cred);
  ok(cred.groups == NULL, "nothing is left");
}

int main(void) {
  run(a_user_is_found_by_name);
  run(a_user_is_found_by_number);
  run(everybody_gets_all_their_groups);
  run(a_number_needs_no_entry);
  run(a_group_is_found_by_name);
  run(other_words_are_no_users_or_groups);
  run(freeing_twice_is_harmless);
  return tap_done();
}
