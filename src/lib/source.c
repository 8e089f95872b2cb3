#include "lib/source.h"

#include <stddef.h>

#include "base/siphash.h"

#define ADDRESS_BYTES 16

enum kind { KIND_IPV4 = 4, KIND_IPV6 = 6, KIND_USER = 1 };

struct message {
        unsigned char kind, bytes[ADDRESS_BYTES];
};

/* Two sources with the same hash share a limit; that needs about 2^32 of them, and nobody can look for them who does
 * not know the key. */
static uint64_t hash(const struct rate_table *table, const struct message *message)
{
        static const uint64_t no_key[2];
        uint64_t value = siphash(table ? table->key : no_key, &message->kind, sizeof(*message));

        return value == 0 ? 1 : value;
}

/* The first bits of so many bytes; 0: all of them. */
static void add_prefix(struct message *message, const unsigned char *bytes, unsigned count, unsigned prefix)
{
        for (unsigned i = 0; i < count; i++) {
                unsigned before = 8 * i, kept = prefix == 0 || prefix >= before + 8 ? 8
                                                : prefix > before                   ? prefix - before
                                                                                    : 0;
                message->bytes[i] = (unsigned char)(bytes[i] & (0xff00U >> kept));
        }
}

static unsigned prefix_of(const struct rate_table *table, enum kind kind)
{
        if (!table)
                return 0;
        return atomic_load_explicit(kind == KIND_IPV4 ? &table->prefix_ipv4 : &table->prefix_ipv6,
                                    memory_order_relaxed);
}

static uint64_t hash_address(const struct rate_table *table, enum kind kind, const unsigned char *bytes)
{
        struct message message = {.kind = (unsigned char)kind};

        add_prefix(&message, bytes, kind == KIND_IPV4 ? 4 : ADDRESS_BYTES, prefix_of(table, kind));
        return hash(table, &message);
}

uint64_t source_of(const struct rate_table *table, const struct address *peer)
{
        if (peer->any.sa_family == AF_INET)
                return hash_address(table, KIND_IPV4, (const unsigned char *)&peer->in.sin_addr);
        if (peer->any.sa_family != AF_INET6)
                return 0;
        const unsigned char *bytes = peer->in6.sin6_addr.s6_addr;
        return IN6_IS_ADDR_V4MAPPED(&peer->in6.sin6_addr) ? hash_address(table, KIND_IPV4, bytes + 12)
                                                          : hash_address(table, KIND_IPV6, bytes);
}

uint64_t source_of_user(const struct rate_table *table, uint32_t uid)
{
        struct message message = {.kind = KIND_USER};

        for (unsigned i = 0; i < sizeof(uid); i++)
                message.bytes[i] = (unsigned char)(uid >> 8 * i);
        return hash(table, &message);
}
