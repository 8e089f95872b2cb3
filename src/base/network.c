#include "base/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

#define V4_BITS 32
#define V6_BITS 128
#define MAPPED_BITS 96 /* of ::ffff:0:0/96 */

static unsigned bits_of(const struct network *network)
{
        return network->is_v6 ? V6_BITS : V4_BITS;
}

/* "24" of "192.0.2.0/24": no sign, no blank, no leading zero. */
static int parse_prefix(const char *string, unsigned most, unsigned *ret)
{
        uint64_t value;

        if (string[0] == '\0' || strlen(string) > 3 || strspn(string, "0123456789") != strlen(string) ||
            (string[0] == '0' && string[1] != '\0'))
                return -EINVAL;
        int r = number_parse(string, &value);
        if (r < 0)
                return -EINVAL;
        if (value > most)
                return -ERANGE;
        *ret = (unsigned)value;
        return 0;
}

/* Clear the bits beyond the prefix. True if any was set. */
static bool mask(struct network *network)
{
        bool had_bits = false;

        for (unsigned i = network->prefix; i < bits_of(network); i++) {
                unsigned char bit = (unsigned char)(0x80 >> i % 8);
                had_bits |= (network->bytes[i / 8] & bit) != 0;
                network->bytes[i / 8] &= (unsigned char)~bit;
        }
        return had_bits;
}

static void unmap(struct network *network)
{
        static const unsigned char mapped[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};

        if (!network->is_v6 || network->prefix < MAPPED_BITS || memcmp(network->bytes, mapped, sizeof(mapped)) != 0)
                return;
        memmove(network->bytes, network->bytes + sizeof(mapped), 4);
        memset(network->bytes + 4, 0, sizeof(network->bytes) - 4);
        network->is_v6 = false;
        network->prefix -= MAPPED_BITS;
}

int network_parse(const char *string, struct network *ret)
{
        struct network network = {0};
        const char *slash = strchr(string, '/');
        size_t length = slash ? (size_t)(slash - string) : strlen(string);
        char host[INET6_ADDRSTRLEN];

        if (length >= sizeof(host))
                return -EINVAL;
        memcpy(host, string, length);
        host[length] = '\0';
        if (inet_pton(AF_INET, host, network.bytes) != 1) {
                network.is_v6 = true;
                if (inet_pton(AF_INET6, host, network.bytes) != 1)
                        return -EINVAL;
        }
        network.prefix = bits_of(&network);
        int r = slash ? parse_prefix(slash + 1, bits_of(&network), &network.prefix) : 0;
        if (r < 0)
                return r;
        r = mask(&network) ? -EDOM : 0;
        unmap(&network);
        *ret = network;
        return r;
}

void network_format(const struct network *network, char text[static NETWORK_TEXT_MAX])
{
        inet_ntop(network->is_v6 ? AF_INET6 : AF_INET, network->bytes, text, NETWORK_TEXT_MAX);
        size_t length = strlen(text);

        if (network->prefix < bits_of(network))
                snprintf(text + length, NETWORK_TEXT_MAX - length, "/%u", network->prefix);
}
