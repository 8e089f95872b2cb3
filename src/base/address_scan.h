/* Numbers and addresses read from bytes, strictly and without libc, for the preload object: as inet_pton(3) reads them.
 *
 * Called by base/proxy_header. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of some bytes that is still to be read. */
struct span {
        const unsigned char *at, *end;
};

static inline size_t span_left(const struct span *span)
{
        return (size_t)(span->end - span->at);
}

/* Each takes what it reads; false: something else is there. */

bool address_scan_byte(struct span *span, char byte);

/* A decimal number of at most five digits without leading zeros, at most `most`. */
bool address_scan_number(struct span *span, unsigned most, unsigned *ret);

/* The 4 bytes of an IPv4 address, or the 16 of an IPv6 address; a blank or the end is behind that. */
bool address_scan_ipv4(struct span *span, unsigned char *ret);
bool address_scan_ipv6(struct span *span, unsigned char *ret);
