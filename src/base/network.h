/* Networks as they are written and shown: `192.0.2.0/24`, `2001:db8::/32`; an address alone is a network of one.
 * Numeric only. IPv4-mapped IPv6 addresses and networks are IPv4. Used by the access rules. */
#pragma once

#include <stdbool.h>

struct network {
        bool is_v6;
        unsigned prefix;         /* bits: 0 to 32, or to 128 */
        unsigned char bytes[16]; /* of IPv4 the first 4; the bits beyond the prefix are 0 */
};

#define NETWORK_TEXT_MAX 64

/* Parse one. 0; -EINVAL: no such form; -ERANGE: the prefix is too long; -EDOM: bits beyond the prefix are set, and *ret
 * is the network without them. Otherwise *ret is left alone on failure. */
int network_parse(const char *string, struct network *ret);

/* Write it as network_parse() reads it; one address without its prefix. */
void network_format(const struct network *network, char text[static NETWORK_TEXT_MAX]);
