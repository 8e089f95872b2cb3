/* PROXY headers: whatever comes is a header, none, or the beginning of one; it says the same in whatever pieces it
 * comes, and what it says can be put into an environment. */
#include <arpa/inet.h>
#include <errno.h>

#include "base/proxy_header.h"
#include "fuzz.h"

static void check_text(const char *text, size_t size)
{
        size_t length = strnlen(text, size);

        MUST(length < size);
        for (size_t i = 0; i < length; i++)
                MUST((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void check_address(const struct address *address)
{
        char text[ADDRESS_TEXT_MAX];

        MUST(address->any.sa_family == AF_INET || address->any.sa_family == AF_INET6);
        address_format(address, text, sizeof(text));
        address_format_host(address, text, sizeof(text));
        MUST(strlen(text) < sizeof(text));
}

/* Of version 1: its addresses are what the library reads. */
static void check_line(const uint8_t *data, const struct proxy_header *header)
{
        char source[64], family[8];
        unsigned char expected[16];

        MUST(header->length <= 107 && data[header->length - 1] == '\n');
        if (!header->has_addresses)
                return;
        char *line = fuzz_string(data, header->length);
        MUST(sscanf(line, "PROXY %7s %63s", family, source) == 2);
        free(line);
        bool is_v6 = header->source.any.sa_family == AF_INET6;
        MUST(inet_pton(is_v6 ? AF_INET6 : AF_INET, source, expected) == 1);
        MUST(memcmp(is_v6 ? (const void *)&header->source.in6.sin6_addr : &header->source.in.sin_addr, expected,
                    is_v6 ? 16 : 4) == 0);
}

static void check(const uint8_t *data, size_t size, const struct proxy_header *header)
{
        MUST(header->length <= size && header->length <= PROXY_HEADER_MAX);
        MUST(header->version == 1 || header->version == 2);
        check_text(header->authority, sizeof(header->authority));
        check_text(header->unique_id, sizeof(header->unique_id));
        check_text(header->ssl_version, sizeof(header->ssl_version));
        check_text(header->ssl_cipher, sizeof(header->ssl_cipher));
        check_text(header->ssl_name, sizeof(header->ssl_name));
        if (header->has_addresses) {
                check_address(&header->source);
                check_address(&header->target);
        }
        if (header->version == 1)
                check_line(data, header);
}

/* As lib/proxy_reader: a piece more each time. Each piece ends where the memory ends, so that a sanitizer sees what
 * reads past its end. */
static enum proxy_result in_pieces(const uint8_t *data, size_t size, struct proxy_header *ret)
{
        enum proxy_result result = PROXY_MORE;
        uint8_t *memory = malloc(size + 1), *end = &memory[size + 1];
        size_t needed = 1;

        for (size_t have = 0; result == PROXY_MORE && have < size;) {
                have = needed <= size ? needed : size;
                memcpy(end - have, data, have);
                result = proxy_header_parse(end - have, have, ret, &needed);
                MUST(result != PROXY_MORE || needed > have);
        }
        free(memory);
        return result;
}

static bool is_same(const struct proxy_header *a, const struct proxy_header *b)
{
        return a->version == b->version && a->length == b->length && a->has_addresses == b->has_addresses &&
               (!a->has_addresses ||
                (address_equal(&a->source, &b->source) && address_equal(&a->target, &b->target))) &&
               strcmp(a->authority, b->authority) == 0 && strcmp(a->unique_id, b->unique_id) == 0 &&
               strcmp(a->ssl_version, b->ssl_version) == 0 && strcmp(a->ssl_cipher, b->ssl_cipher) == 0 &&
               strcmp(a->ssl_name, b->ssl_name) == 0 && a->is_ssl == b->is_ssl && a->is_certified == b->is_certified;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct proxy_header header, other;
        size_t needed;

        enum proxy_result result = proxy_header_parse(data, size, &header, &needed);
        MUST(result < PROXY_RESULT_COUNT && result != PROXY_CLOSED && result != PROXY_LATE);
        MUST(strlen(proxy_result_text(result)) > 0 || result == PROXY_DONE);
        if (result == PROXY_DONE)
                check(data, size, &header);
        enum proxy_result again = in_pieces(data, size, &other);
        if (size > 0 && result == PROXY_DONE)
                MUST(again == PROXY_DONE && is_same(&header, &other));
        if (size > 0 && result != PROXY_DONE)
                MUST(again == result);
        return 0;
}
