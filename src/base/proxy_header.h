/* The PROXY header, versions 1 and 2: what a proxy says of its client before the client's first byte. Pure; it calls
 * nothing, so that it can be linked into the preload object.
 *
 * lib/proxy_reader reads the bytes from a connection and asks this after each piece. Version 1 is read strictly; of
 * version 2 every length must be right, and CRC32C is checked where it is given. The specification is HAProxy's
 * proxy-protocol.txt. Fuzzed (tests/fuzz). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

/* A header of version 2 may have 65,551 bytes; nobody sends one that is longer than this. */
#define PROXY_HEADER_MAX 4096
#define PROXY_VALUE_MAX 256

enum proxy_result {
        PROXY_MORE, /* these are the first bytes of a header */
        PROXY_DONE,
        PROXY_CLOSED,    /* of lib/proxy_reader: the connection has ended, or cannot be read … */
        PROXY_LATE,      /* … or no more has come in time */
        PROXY_NO_HEADER, /* of a header that begins otherwise, and so all that follow */
        PROXY_BAD_LINE,
        PROXY_BAD_COMMAND,
        PROXY_BAD_ADDRESS,
        PROXY_BAD_VALUE,
        PROXY_BAD_CHECKSUM,
        PROXY_TOO_LONG,
        PROXY_RESULT_COUNT
};

struct proxy_header {
        unsigned version;      /* 1 or 2 */
        size_t length;         /* of the header in bytes */
        bool has_addresses;    /* false: the connection is the proxy's own (LOCAL), or it does not know whose it is */
        struct address source; /* the client … */
        struct address target; /* … and what it has connected to */
        /* Empty: not said. All bytes are printable; of the authority in ASCII. */
        char authority[PROXY_VALUE_MAX];
        char unique_id[PROXY_VALUE_MAX + 1]; /* in hex */
        char ssl_version[PROXY_VALUE_MAX], ssl_cipher[PROXY_VALUE_MAX], ssl_name[PROXY_VALUE_MAX];
        bool is_ssl;       /* the client has used SSL/TLS … */
        bool is_certified; /* … with a certificate, which was verified: `ssl_name` is its name */
};

/* Look at the first `size` bytes of a connection. PROXY_DONE: *ret is the header. *ret_needed is how many bytes there
 * must be at least, with PROXY_MORE. */
enum proxy_result proxy_header_parse(const unsigned char *bytes, size_t size, struct proxy_header *ret,
                                     size_t *ret_needed);

/* Why that is no header: "it does not begin with a PROXY header". */
const char *proxy_result_text(enum proxy_result result);
