#include "lib/source.h"

#include <stddef.h>

/* FNV-1a, 64 bits (draft-eastlake-fnv). Two addresses with the same hash share a limit; that needs about 2^32
 * clients. */
static uint64_t hash(const unsigned char *bytes, size_t length)
{
        uint64_t value = 0xcbf29ce484222325ULL;

        for (size_t i = 0; i < length; i++)
                value = (value ^ bytes[i]) * 0x100000001b3ULL;
        return value == 0 ? 1 : value;
}

uint64_t source_of(const struct address *peer)
{
        if (peer->any.sa_family == AF_INET)
                return hash((const unsigned char *)&peer->in.sin_addr, sizeof(peer->in.sin_addr));
        if (peer->any.sa_family != AF_INET6)
                return 0;
        const unsigned char *bytes = peer->in6.sin6_addr.s6_addr;
        return IN6_IS_ADDR_V4MAPPED(&peer->in6.sin6_addr) ? hash(bytes + 12, 4) : hash(bytes, 16);
}
