/* Accounts: users and groups by name or number.
 *
 * Only the configuration child calls this, and never the master: a look-up goes through nsswitch.conf(5) and may wait
 * without limit for LDAP, sssd or a hung NFS server. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct account_record {
        uid_t uid;
        gid_t gid; /* primary group */
        char *name;
        char *home;  /* as in the database; may be "" */
        char *shell; /* as in the database; may be "", which means /bin/sh (passwd(5)) */
};

/* Look a user up. 0; -ENOENT: there is no such user; -ENOMEM, -EIO, -EMFILE, -ENFILE, -EAGAIN, …: the look-up failed,
 * so it is unknown whether there is such a user (getpwnam_r(3)). The caller owns *ret (account_clear()), which is
 * unchanged on failure. */
int account_find_by_name(const char *name, struct account_record *ret);
int account_find_by_uid(uid_t uid, struct account_record *ret);

/* Free what an account owns; a zeroed account is fine. Usable with _cleanup_(). */
void account_clear(struct account_record *account);

/* Look a group up. 0 or errors as above (getgrnam_r(3)). */
int account_find_group(const char *name, gid_t *ret_gid);

/* List the groups of user `name`, including `primary_gid`, for setgroups(2). The caller frees the list. A user without
 * an entry in a database has only `primary_gid`. 0; -ENOMEM; -E2BIG: more than NGROUPS_MAX (getgrouplist(3)). */
int account_list_groups(const char *name, gid_t primary_gid, gid_t **ret_gids, size_t *ret_count);
