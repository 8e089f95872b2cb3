/* Files looked at with another user's eyes: the kernel's file system ids (setfsuid(2)), changed for a moment.
 *
 * Called by processes that read and check a configuration for pools of other users; they have one thread and serve
 * nobody. Permission bits, access lists and security modules are the kernel's business and not guessed here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct file_user {
        bool change; /* false: ourselves */
        uid_t uid;
        gid_t gid;
        const gid_t *groups;
        size_t group_count;
};

/* Zero-initialise. */
struct file_user_saved {
        bool changed, changed_groups;
        uid_t uid;
        gid_t gid;
        gid_t *groups;
        int group_count;
};

/* Become the user, as far as we may: without the privilege we stay who we are, and files are looked at as ourselves. */
void file_user_begin(const struct file_user *user, struct file_user_saved *saved);

/* Become ourselves again; keeps errno. */
void file_user_end(struct file_user_saved *saved);
