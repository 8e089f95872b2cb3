#include "base/access_table.h"

static const struct access_ipv6 *ipv6_points(const struct access_table *table)
{
        return (const void *)(table + 1);
}

static const uint32_t *points(const struct access_table *table, enum access_key key)
{
        const uint32_t *first = (const void *)(ipv6_points(table) + table->counts[ACCESS_IPV6]);

        for (unsigned i = ACCESS_IPV6 + 1; i < key; i++)
                first += table->counts[i];
        return first;
}

static enum access_answer answer_at(const struct access_table *table, enum access_key key, size_t above)
{
        const unsigned char *answers = (const void *)points(table, ACCESS_KEY_COUNT);

        if (above == 0)
                return ACCESS_NO_RULE;
        for (unsigned i = 0; i < key; i++)
                answers += table->counts[i];
        return (enum access_answer)answers[above - 1];
}

/* Both searches: how many points are not above the key. */
static enum access_answer look_up(const struct access_table *table, enum access_key key, uint32_t value)
{
        const uint32_t *list = points(table, key);
        size_t low = 0, high = table->counts[key];

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (list[middle] <= value)
                        low = middle + 1;
                else
                        high = middle;
        }
        return answer_at(table, key, low);
}

static enum access_answer look_up_ipv6(const struct access_table *table, struct access_ipv6 value)
{
        const struct access_ipv6 *list = ipv6_points(table);
        size_t low = 0, high = table->counts[ACCESS_IPV6];

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct access_ipv6 *point = &list[middle];
                if (point->high < value.high || (point->high == value.high && point->low <= value.low))
                        low = middle + 1;
                else
                        high = middle;
        }
        return answer_at(table, ACCESS_IPV6, low);
}

static uint64_t number(const unsigned char *bytes, unsigned count)
{
        uint64_t value = 0;

        for (unsigned i = 0; i < count; i++)
                value = value << 8 | bytes[i];
        return value;
}

static enum access_answer look_up_user(const struct access_table *table, const struct access_user *user)
{
        if (!user->is_known)
                return (enum access_answer)table->unix_answer;
        enum access_answer answer = look_up(table, ACCESS_UID, user->uid);

        if (answer != ACCESS_NO_RULE)
                return answer;
        for (size_t i = 0; i < user->group_count && answer != ACCESS_DENY; i++) {
                enum access_answer of_group = look_up(table, ACCESS_GID, user->groups[i]);
                answer = of_group != ACCESS_NO_RULE ? of_group : answer;
        }
        if (user->has_more_groups && table->counts[ACCESS_GID] > 0)
                return ACCESS_DENY;
        return answer != ACCESS_NO_RULE ? answer : (enum access_answer)table->unix_answer;
}

enum access_answer access_look_up(const struct access_table *table, const struct address *peer,
                                  const struct access_user *user)
{
        if (peer->any.sa_family == AF_INET)
                return look_up(table, ACCESS_IPV4, (uint32_t)number((const void *)&peer->in.sin_addr, 4));
        if (peer->any.sa_family != AF_INET6)
                return look_up_user(table, user);
        const unsigned char *bytes = peer->in6.sin6_addr.s6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&peer->in6.sin6_addr))
                return look_up(table, ACCESS_IPV4, (uint32_t)number(bytes + 12, 4));
        return look_up_ipv6(table, (struct access_ipv6){.high = number(bytes, 8), .low = number(bytes + 8, 8)});
}

bool access_admits(const struct access_table *table, enum access_answer answer)
{
        return answer == ACCESS_ALLOW || (answer == ACCESS_NO_RULE && !table->is_closed);
}

bool access_needs_user(const struct access_table *table)
{
        return table->counts[ACCESS_UID] > 0 || table->counts[ACCESS_GID] > 0;
}

bool access_is_whole(const struct access_table *table, size_t bytes)
{
        size_t needed = sizeof(*table);

        if (bytes < needed || table->version != ACCESS_TABLE_VERSION || table->bytes > bytes)
                return false;
        for (unsigned key = 0; key < ACCESS_KEY_COUNT; key++)
                needed += table->counts[key] *
                          (key == ACCESS_IPV6 ? sizeof(struct access_ipv6) + 1 : sizeof(uint32_t) + 1);
        return needed <= table->bytes;
}
