/* Access rules as one flat block of memory, without pointers, so that processes can share it: the layout, and the
 * look-up of a client. Pure; it calls nothing, so that it can be linked into the preload object.
 *
 * logic/config/access_builder makes the block, lib/admission asks it about every connection. For each kind of key it
 * has the points at which the answer changes, in ascending order: what holds for a key is the answer of the last point
 * that is not above it. So networks within networks cost nothing at a look-up, which is one binary search.
 *
 * Behind the header: the points of IPv6, then those of the other kinds in the order of enum access_key; then the
 * answers, a byte each, in the same order.
 *
 * The most specific rule decides: of networks the smallest; of a UNIX client the rule of its uid, then those of its
 * groups (one that denies is enough), then that of all UNIX clients. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define ACCESS_TABLE_VERSION 1

/* IPv4-mapped IPv6 addresses are IPv4. */
enum access_key { ACCESS_IPV6, ACCESS_IPV4, ACCESS_UID, ACCESS_GID, ACCESS_KEY_COUNT };

enum access_answer { ACCESS_NO_RULE, ACCESS_ALLOW, ACCESS_DENY };

/* An IPv6 address as a number. */
struct access_ipv6 {
        uint64_t high, low;
};

struct access_table {
        uint32_t version;
        uint32_t bytes;                    /* of all, this header included; a multiple of 8 */
        uint32_t is_closed;                /* 1: who has no rule is refused */
        uint32_t unix_answer;              /* of UNIX clients whose uid and groups have no rule */
        uint32_t counts[ACCESS_KEY_COUNT]; /* points */
};

/* Who the client of a UNIX connection is. */
#define ACCESS_GROUPS_MAX 256
struct access_user {
        bool is_known;
        uint32_t uid;
        uint32_t groups[ACCESS_GROUPS_MAX]; /* the primary one, too */
        size_t group_count;
        bool has_more_groups; /* than fit: it may be a member of any */
};

/* What the rules say of that client; `user` is that of a UNIX client, and else not looked at. */
enum access_answer access_look_up(const struct access_table *table, const struct address *peer,
                                  const struct access_user *user);

/* May a client come in of which they say that? */
bool access_admits(const struct access_table *table, enum access_answer answer);

/* Is this a table, and is all of it in memory of `bytes` bytes? */
bool access_is_whole(const struct access_table *table, size_t bytes);

/* Does the answer for a UNIX client depend on who it is? */
bool access_needs_user(const struct access_table *table);
