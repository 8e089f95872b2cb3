/* Who may use the control socket. Pure; called by master/control with the ids that the kernel reports of the client. */
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

/* True for root, for preforkd's own user, and for members of `group` (NULL: nobody else). */
bool control_access_allowed(const struct control_client_ids *client, uid_t own_uid, const gid_t *group);
