#include "os/process/file_user.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "base/cleanup.h"

static void change_groups(const struct file_user *user, struct file_user_saved *saved)
{
        int count = getgroups(0, NULL);

        saved->groups = calloc((size_t)MAX_OF(count, 0) + 1, sizeof(*saved->groups));
        if (!saved->groups)
                return;
        saved->group_count = getgroups(MAX_OF(count, 0), saved->groups);
        saved->changed_groups = saved->group_count >= 0 && setgroups(user->group_count, user->groups) == 0;
}

void file_user_begin(const struct file_user *user, struct file_user_saved *saved)
{
        *saved = (struct file_user_saved){.uid = geteuid(), .gid = getegid()};
        if (!user->change || saved->uid != 0)
                return;
        saved->changed = true;
        change_groups(user, saved);
        setfsgid(user->gid); /* they report no failure: we stay who we are */
        setfsuid(user->uid);
}

void file_user_end(struct file_user_saved *saved)
{
        int saved_errno = errno;

        if (saved->changed) {
                setfsuid(saved->uid);
                setfsgid(saved->gid);
                if (saved->changed_groups)
                        (void)!setgroups((size_t)saved->group_count, saved->groups);
        }
        free(saved->groups);
        *saved = (struct file_user_saved){0};
        errno = saved_errno;
}
