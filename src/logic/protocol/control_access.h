/* Who may use the control socket. Pure; asked by master/control with what the kernel says of the client. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct control_client_ids {
        uid_t uid;
        gid_t gid;
        const gid_t *groups; /* supplementary */
        size_t group_count;
};

/* True for root, for our own user, and for members of `group`, which may be NULL: nobody besides. */
bool control_access_allowed(const struct control_client_ids *client, uid_t own_uid, const gid_t *group);
