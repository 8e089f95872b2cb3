#include "os/account.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BUFFER_FIRST_BYTES 1024
#define BUFFER_MAX_BYTES (64U << 20) /* an entry that large is a broken database */

/* Grow the buffer after ERANGE. */
static int grow(char **buffer, size_t *size)
{
        size_t larger = *size ? *size * 2 : BUFFER_FIRST_BYTES;
        char *grown = larger <= BUFFER_MAX_BYTES ? realloc(*buffer, larger) : NULL;

        if (!grown)
                return -ENOMEM;
        *buffer = grown;
        *size = larger;
        return 0;
}

/* getpwnam_r(3) lists these errors, and success without an entry, as signs that there is no such entry. */
static int convert_error(int error)
{
        switch (error) {
        case 0:
        case ENOENT:
        case ESRCH:
        case EBADF:
        case EPERM:
                return -ENOENT;
        default:
                return -error;
        }
}

static int copy_account(const struct passwd *entry, struct account_record *ret)
{
        struct account_record account = {
                .uid = entry->pw_uid,
                .gid = entry->pw_gid,
                .name = strdup(entry->pw_name),
                .home = strdup(entry->pw_dir ? entry->pw_dir : ""),
                .shell = strdup(entry->pw_shell ? entry->pw_shell : ""),
        };
        if (!account.name || !account.home || !account.shell) {
                account_clear(&account);
                return -ENOMEM;
        }
        *ret = account;
        return 0;
}

/* Find a user by name, or by uid if `name` is NULL. */
static int find_user(const char *name, uid_t uid, struct account_record *ret)
{
        _cleanup_(freep) char *buffer = NULL;
        size_t size = 0;
        struct passwd storage, *entry = NULL;
        int error = ERANGE;

        while (error == ERANGE || error == EINTR) {
                int r = error == ERANGE ? grow(&buffer, &size) : 0;
                if (r < 0)
                        return r;
                error = name ? getpwnam_r(name, &storage, buffer, size, &entry)
                             : getpwuid_r(uid, &storage, buffer, size, &entry);
        }
        return entry ? copy_account(entry, ret) : convert_error(error);
}

int account_find_by_name(const char *name, struct account_record *ret)
{
        return find_user(name, 0, ret);
}

int account_find_by_uid(uid_t uid, struct account_record *ret)
{
        return find_user(NULL, uid, ret);
}

void account_clear(struct account_record *account)
{
        free(account->name);
        free(account->home);
        free(account->shell);
        *account = (struct account_record){0};
}

int account_find_group(const char *name, gid_t *ret_gid)
{
        _cleanup_(freep) char *buffer = NULL;
        size_t size = 0;
        struct group storage, *entry = NULL;
        int error = ERANGE;

        while (error == ERANGE || error == EINTR) {
                int r = error == ERANGE ? grow(&buffer, &size) : 0;
                if (r < 0)
                        return r;
                error = getgrnam_r(name, &storage, buffer, size, &entry);
        }
        if (!entry)
                return convert_error(error);
        *ret_gid = entry->gr_gid;
        return 0;
}

int account_list_groups(const char *name, gid_t primary_gid, gid_t **ret_gids, size_t *ret_count)
{
        _cleanup_(freep) gid_t *gids = NULL;
        int room = 32;

        for (;;) {
                int count = room;
                gid_t *grown = realloc(gids, (size_t)room * sizeof(*gids));
                if (!grown)
                        return -ENOMEM;
                gids = grown;
                if (getgrouplist(name, primary_gid, gids, &count) >= 0) {
                        *ret_gids = TAKE_PTR(gids);
                        *ret_count = (size_t)count;
                        return 0;
                }
                /* `count` is now the number that it needs. A faulty module may return no more than we had: at least
                 * double the room, so that this ends. */
                if (room >= NGROUPS_MAX)
                        return -E2BIG;
                room = MIN_OF(MAX_OF(count, room * 2), NGROUPS_MAX);
        }
}
