#include "logic/protocol/control_access.h"

bool control_access_allowed(const struct control_client_ids *client, uid_t own_uid, const gid_t *group)
{
        if (client->uid == 0 || client->uid == own_uid)
                return true;
        if (!group)
                return false;
        for (size_t i = 0; i < client->group_count; i++)
                if (client->groups[i] == *group)
                        return true;
        return client->gid == *group;
}
