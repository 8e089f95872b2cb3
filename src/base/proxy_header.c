#include "base/proxy_header.h"

#include "base/address_scan.h"

#define V1_MAX 107 /* with its end of line */
#define V2_FIXED 16
#define LAST_OF_HEX(value) "0123456789abcdef"[(value)&15]

enum { COMMAND_LOCAL, COMMAND_PROXY };
enum { FAMILY_UNKNOWN, FAMILY_IPV4, FAMILY_IPV6, FAMILY_UNIX };
enum { TYPE_AUTHORITY = 2, TYPE_CRC32C = 3, TYPE_UNIQUE_ID = 5, TYPE_SSL = 0x20 };
enum { SSL_TYPE_VERSION = 0x21, SSL_TYPE_NAME = 0x22, SSL_TYPE_CIPHER = 0x23 };
enum { SSL_USED = 1, SSL_CERTIFICATE = 2, SSL_FIXED = 5 };

static const unsigned char signature[] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};
static const char word[] = "PROXY ";

/* Are these the first bytes of that, as far as there are any? */
static bool begins(const unsigned char *bytes, size_t size, const void *expected, size_t length)
{
        const unsigned char *other = expected;

        for (size_t i = 0; i < size && i < length; i++)
                if (bytes[i] != other[i])
                        return false;
        return true;
}

static void copy(void *to, const unsigned char *from, size_t size)
{
        __builtin_memcpy(to, from, size);
}

static void clear(struct proxy_header *header)
{
        __builtin_memset(header, 0, sizeof(*header));
}

/* Version 1: a line. */

static uint16_t port_of(unsigned number)
{
        const unsigned char bytes[2] = {(unsigned char)(number >> 8), (unsigned char)number};
        uint16_t port;

        __builtin_memcpy(&port, bytes, sizeof(port));
        return port;
}

static void set_address(struct address *ret, bool is_v6, const unsigned char *bytes, unsigned port)
{
        if (is_v6) {
                ret->in6.sin6_family = AF_INET6;
                ret->in6.sin6_port = port_of(port);
                copy(&ret->in6.sin6_addr, bytes, 16);
                ret->length = sizeof(ret->in6);
        } else {
                ret->in.sin_family = AF_INET;
                ret->in.sin_port = port_of(port);
                copy(&ret->in.sin_addr, bytes, 4);
                ret->length = sizeof(ret->in);
        }
}

/* "TCP4 192.0.2.1 198.51.100.1 56324 443". */
static enum proxy_result parse_line(struct span *span, struct proxy_header *ret)
{
        static const char unknown[] = "UNKNOWN";
        unsigned char source[16], target[16];
        unsigned source_port, target_port;

        if (span_left(span) >= sizeof(unknown) - 1 && begins(span->at, span_left(span), unknown, sizeof(unknown) - 1)) {
                span->at += sizeof(unknown) - 1;
                return span_left(span) == 0 || *span->at == ' ' ? PROXY_DONE : PROXY_BAD_LINE;
        }
        if (span_left(span) < 5 || !begins(span->at, span_left(span), "TCP", 3) ||
            (span->at[3] != '4' && span->at[3] != '6') || span->at[4] != ' ')
                return PROXY_BAD_LINE;
        bool is_v6 = span->at[3] == '6';
        bool (*take_address)(struct span *, unsigned char *) = is_v6 ? address_scan_ipv6 : address_scan_ipv4;
        span->at += 5;
        if (!take_address(span, source) || !address_scan_byte(span, ' ') || !take_address(span, target) ||
            !address_scan_byte(span, ' '))
                return PROXY_BAD_ADDRESS;
        if (!address_scan_number(span, UINT16_MAX, &source_port) || !address_scan_byte(span, ' ') ||
            !address_scan_number(span, UINT16_MAX, &target_port) || span_left(span) > 0)
                return PROXY_BAD_ADDRESS;
        ret->has_addresses = true;
        set_address(&ret->source, is_v6, source, source_port);
        set_address(&ret->target, is_v6, target, target_port);
        return PROXY_DONE;
}

static enum proxy_result parse_v1(const unsigned char *bytes, size_t size, struct proxy_header *ret, size_t *ret_needed)
{
        size_t end = 0;

        while (end < size && end < V1_MAX && bytes[end] != '\n')
                end++;
        if (end == V1_MAX)
                return PROXY_TOO_LONG;
        if (end == size) {
                *ret_needed = size + 1;
                return PROXY_MORE;
        }
        if (bytes[end - 1] != '\r')
                return PROXY_BAD_LINE;
        struct span span = {.at = bytes + sizeof(word) - 1, .end = bytes + end - 1};
        for (const unsigned char *byte = span.at; byte < span.end; byte++)
                if (*byte < ' ' || *byte > '~')
                        return PROXY_BAD_LINE;
        ret->version = 1;
        ret->length = end + 1;
        return parse_line(&span, ret);
}

/* Version 2: binary. */

static unsigned number16(const unsigned char *bytes)
{
        return (unsigned)bytes[0] << 8 | bytes[1];
}

/* CRC-32C of the header, in which the four bytes of the checksum itself count as zeros. */
static uint32_t checksum(const unsigned char *bytes, size_t size, const unsigned char *field)
{
        uint32_t value = UINT32_MAX;

        for (size_t i = 0; i < size; i++) {
                bool is_field = bytes + i >= field && bytes + i < field + 4;
                value ^= is_field ? 0 : bytes[i];
                for (unsigned bit = 0; bit < 8; bit++)
                        value = value >> 1 ^ (value & 1 ? UINT32_C(0x82f63b78) : 0);
        }
        return ~value;
}

/* Text for an environment. False: it is too long, or not printable. */
static bool set_text(char ret[static PROXY_VALUE_MAX], const struct span *value, bool is_ascii)
{
        size_t length = span_left(value);

        if (length >= PROXY_VALUE_MAX)
                return false;
        for (size_t i = 0; i < length; i++)
                if (value->at[i] < ' ' || value->at[i] == 0x7f || (is_ascii && value->at[i] > '~'))
                        return false;
        copy(ret, value->at, length);
        ret[length] = '\0';
        return true;
}

static bool set_hex(char ret[static PROXY_VALUE_MAX + 1], const struct span *value)
{
        size_t length = span_left(value);

        if (length > PROXY_VALUE_MAX / 2)
                return false;
        for (size_t i = 0; i < length; i++) {
                ret[2 * i] = LAST_OF_HEX(value->at[i] >> 4);
                ret[2 * i + 1] = LAST_OF_HEX(value->at[i]);
        }
        ret[2 * length] = '\0';
        return true;
}

/* One value: its type, its length, its bytes. False: there is no room for it. */
static bool take_value(struct span *span, unsigned *ret_type, struct span *ret)
{
        if (span_left(span) < 3 || number16(span->at + 1) > span_left(span) - 3)
                return false;
        *ret_type = span->at[0];
        *ret = (struct span){.at = span->at + 3, .end = span->at + 3 + number16(span->at + 1)};
        span->at = ret->end;
        return true;
}

/* A name of a certificate is what its owner says: what cannot be shown is left out. */
static bool parse_ssl(struct span *value, struct proxy_header *ret)
{
        struct span inner;
        unsigned type;

        if (span_left(value) < SSL_FIXED)
                return false;
        ret->is_ssl = value->at[0] & SSL_USED;
        bool is_verified = (value->at[1] | value->at[2] | value->at[3] | value->at[4]) == 0;
        ret->is_certified = ret->is_ssl && (value->at[0] & ~SSL_USED) != 0 && is_verified;
        value->at += SSL_FIXED;
        while (span_left(value) > 0) {
                if (!take_value(value, &type, &inner))
                        return false;
                char *field = type == SSL_TYPE_VERSION  ? ret->ssl_version
                              : type == SSL_TYPE_NAME   ? ret->ssl_name
                              : type == SSL_TYPE_CIPHER ? ret->ssl_cipher
                                                        : NULL;
                if (field && !set_text(field, &inner, type != SSL_TYPE_NAME))
                        field[0] = '\0';
        }
        return true;
}

static enum proxy_result parse_values(const unsigned char *bytes, struct span *span, struct proxy_header *ret)
{
        struct span value;
        unsigned type;

        while (span_left(span) > 0) {
                if (!take_value(span, &type, &value))
                        return PROXY_BAD_VALUE;
                if ((type == TYPE_AUTHORITY && !set_text(ret->authority, &value, true)) ||
                    (type == TYPE_UNIQUE_ID && !set_hex(ret->unique_id, &value)) ||
                    (type == TYPE_SSL && !parse_ssl(&value, ret)) || (type == TYPE_CRC32C && span_left(&value) != 4))
                        return PROXY_BAD_VALUE;
                if (type == TYPE_CRC32C &&
                    checksum(bytes, ret->length, value.at) != (number16(value.at) << 16 | number16(value.at + 2)))
                        return PROXY_BAD_CHECKSUM;
        }
        return PROXY_DONE;
}

/* The addresses, before the values. A client of a UNIX socket of the proxy has none that is known here. */
static bool take_addresses(struct span *span, unsigned family, struct proxy_header *ret)
{
        static const size_t lengths[] = {
                [FAMILY_UNKNOWN] = 0, [FAMILY_IPV4] = 12, [FAMILY_IPV6] = 36, [FAMILY_UNIX] = 216};
        const unsigned char *at = span->at;
        bool is_v6 = family == FAMILY_IPV6;
        size_t size = is_v6 ? 16 : 4;

        if (span_left(span) < lengths[family])
                return false;
        span->at += lengths[family];
        ret->has_addresses = family == FAMILY_IPV4 || is_v6;
        if (!ret->has_addresses)
                return true;
        set_address(&ret->source, is_v6, at, number16(at + 2 * size));
        set_address(&ret->target, is_v6, at + size, number16(at + 2 * size + 2));
        return true;
}

static enum proxy_result parse_v2(const unsigned char *bytes, size_t size, struct proxy_header *ret, size_t *ret_needed)
{
        *ret_needed = V2_FIXED;
        if (size < V2_FIXED)
                return PROXY_MORE;
        unsigned command = bytes[12] & 15, family = bytes[13] >> 4, kind = bytes[13] & 15;
        if (bytes[12] >> 4 != 2 || command > COMMAND_PROXY || family > FAMILY_UNIX || kind > 2)
                return PROXY_BAD_COMMAND;
        if (command == COMMAND_PROXY && (kind == 2 || (kind == 0) != (family == FAMILY_UNKNOWN)))
                return PROXY_BAD_COMMAND; /* datagrams are no connections */
        ret->version = 2;
        ret->length = V2_FIXED + number16(bytes + 14);
        if (ret->length > PROXY_HEADER_MAX)
                return PROXY_TOO_LONG;
        *ret_needed = ret->length;
        if (size < ret->length)
                return PROXY_MORE;
        if (command == COMMAND_LOCAL) /* whatever follows */
                return PROXY_DONE;
        struct span span = {.at = bytes + V2_FIXED, .end = bytes + ret->length};
        if (!take_addresses(&span, family, ret))
                return PROXY_BAD_ADDRESS;
        return family == FAMILY_UNKNOWN ? PROXY_DONE : parse_values(bytes, &span, ret);
}

enum proxy_result proxy_header_parse(const unsigned char *bytes, size_t size, struct proxy_header *ret,
                                     size_t *ret_needed)
{
        enum proxy_result result = PROXY_NO_HEADER;

        clear(ret);
        *ret_needed = 1;
        if (begins(bytes, size, signature, sizeof(signature)))
                result = parse_v2(bytes, size, ret, ret_needed);
        else if (begins(bytes, size, word, sizeof(word) - 1))
                result = size < sizeof(word) ? PROXY_MORE : parse_v1(bytes, size, ret, ret_needed);
        if (result == PROXY_MORE && *ret_needed <= size)
                *ret_needed = size + 1;
        if (result != PROXY_DONE)
                clear(ret);
        return result;
}

const char *proxy_result_text(enum proxy_result result)
{
        static const char *const texts[PROXY_RESULT_COUNT] = {
                [PROXY_MORE] = "its PROXY header is cut off",
                [PROXY_DONE] = "",
                [PROXY_CLOSED] = "it ended before its PROXY header",
                [PROXY_LATE] = "it did not send its PROXY header in time",
                [PROXY_NO_HEADER] = "it does not begin with a PROXY header",
                [PROXY_BAD_LINE] = "the line of its PROXY header is malformed",
                [PROXY_BAD_COMMAND] = "its PROXY header has an unknown version, command or family",
                [PROXY_BAD_ADDRESS] = "its PROXY header has malformed addresses",
                [PROXY_BAD_VALUE] = "its PROXY header has a malformed value",
                [PROXY_BAD_CHECKSUM] = "the checksum of its PROXY header is wrong",
                [PROXY_TOO_LONG] = "its PROXY header is too long",
        };

        return texts[result];
}
