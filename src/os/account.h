/* Accounts: users and groups by name or number.
 *
 * Owns nothing but what it returns. Only the configuration child calls this: a look-up goes through nsswitch.conf(5)
 * and may wait for LDAP, sssd or a hung NFS server as long as it likes, so nothing here may ever be called in the
 * master. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct account_record {
        uid_t uid;
        gid_t gid; /* primary group */
        char *name;
        char *home;  /* as the database has it; may be "" */
        char *shell; /* as the database has it; may be "" (passwd(5): then /bin/sh) */
};

/* Look a user up. 0; -ENOENT: there is no such user; -ENOMEM, -EIO, -EMFILE, -ENFILE, -EAGAIN …: the database could not
 * be asked, whether there is such a user is unknown (getpwnam_r(3)). *ret is owned by the caller (account_clear()) and
 * left alone on failure. */
int account_find_by_name(const char *name, struct account_record *ret);
int account_find_by_uid(uid_t uid, struct account_record *ret);

/* Free what an account holds; zeroed accounts too. Usable with _cleanup_(). */
void account_clear(struct account_record *account);

/* Look a group up. 0 or errors as above (getgrnam_r(3)). */
int account_find_group(const char *name, gid_t *ret_gid);

/* The groups of which `name` is a member, `primary_gid` among them, as setgroups(2) takes them. The list is the
 * caller's to free(). A user that is in no database has just `primary_gid`. 0; -ENOMEM; -E2BIG: more than NGROUPS_MAX
 * (getgrouplist(3)). */
int account_list_groups(const char *name, gid_t primary_gid, gid_t **ret_gids, size_t *ret_count);
