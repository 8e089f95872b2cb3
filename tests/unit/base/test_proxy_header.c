/* PROXY headers of both versions: what is one, what is none, and that any beginning of one is only the beginning. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/proxy_header.h"

static enum proxy_result parse(const void *bytes, size_t size, struct proxy_header *ret)
{
        /* Memory of exactly that size, for AddressSanitizer. */
        _cleanup_(freep) unsigned char *copy = malloc(size + 1);
        size_t needed;

        assert_non_null(copy);
        memcpy(copy, bytes, size);
        copy[size] = 0xaa;
        enum proxy_result result = proxy_header_parse(copy, size, ret, &needed);
        assert_true(result != PROXY_MORE || needed > size);
        return result;
}

/* Nothing shorter is one, and what follows is not looked at. */
static void check_whole(const void *bytes, size_t size, struct proxy_header *ret)
{
        unsigned char more[PROXY_HEADER_MAX + 64];

        for (size_t i = 0; i < size; i++)
                assert_int_equal(parse(bytes, i, ret), PROXY_MORE);
        memcpy(more, bytes, size);
        memset(more + size, '\n', 64);
        assert_int_equal(parse(more, size + 64, ret), PROXY_DONE);
        assert_int_equal(ret->length, size);
        assert_int_equal(parse(bytes, size, ret), PROXY_DONE);
        assert_int_equal(ret->length, size);
}

static void check_addresses(const struct proxy_header *header, const char *source, const char *target)
{
        char text[ADDRESS_TEXT_MAX];

        assert_true(header->has_addresses);
        address_format(&header->source, text, sizeof(text));
        assert_string_equal(text, source);
        address_format(&header->target, text, sizeof(text));
        assert_string_equal(text, target);
}

static void test_version_1(void **state)
{
        static const struct {
                const char *line, *source, *target; /* NULL: none */
        } cases[] = {
                {"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", "192.0.2.1:56324", "198.51.100.7:443"},
                {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535",
                 "255.255.255.255:65535"},
                {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0", "0.0.0.0:0"},
                {"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "[2001:db8::1]:1", "[::1]:2"},
                {"PROXY TCP6 :: 1:2:3:4:5:6:7:8 1 2\r\n", "[::]:1", "[1:2:3:4:5:6:7:8]:2"},
                {"PROXY TCP6 ::ffff:192.0.2.1 FE80:: 1 2\r\n", "192.0.2.1:1", "[fe80::]:2"},
                {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
                 "65535\r\n",
                 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
                {"PROXY UNKNOWN\r\n", NULL, NULL},
                {"PROXY UNKNOWN what ever it says\r\n", NULL, NULL},
                {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
                 "65535\r\n",
                 NULL, NULL}, /* 107 bytes */
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct proxy_header header;
                check_whole(cases[i].line, strlen(cases[i].line), &header);
                assert_int_equal(header.version, 1);
                if (cases[i].source)
                        check_addresses(&header, cases[i].source, cases[i].target);
                else
                        assert_false(header.has_addresses);
        }
}

static void test_no_version_1(void **state)
{
        static const struct {
                const char *line;
                enum proxy_result result;
        } cases[] = {
                {"GET / HTTP/1.0\r\n", PROXY_NO_HEADER},
                {"proxy TCP4 192.0.2.1 198.51.100.7 1 2\r\n", PROXY_NO_HEADER},
                {"PROXYTCP4", PROXY_NO_HEADER},
                {" PROXY", PROXY_NO_HEADER},
                {"PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n", PROXY_BAD_LINE},
                {"PROXY \n", PROXY_BAD_LINE},
                {"PROXY \r\n", PROXY_BAD_LINE},
                {"PROXY TCP5 192.0.2.1 198.51.100.7 1 2\r\n", PROXY_BAD_LINE},
                {"PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n", PROXY_BAD_LINE},
                {"PROXY UNKNOWNS\r\n", PROXY_BAD_LINE},
                {"PROXY UNKNOWN \x01\r\n", PROXY_BAD_LINE},
                {"PROXY TCP4 192.0.2.1 198.51.100.7 1 2\r\r\n", PROXY_BAD_LINE},
                {"PROXY TCP4  192.0.2.1 198.51.100.7 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP4 192.0.2.1 198.51.100.7 1 2 \r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP4 192.0.2.1 198.51.100.7 1\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP4 192.0.2.01 198.51.100.7 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP4 192.0.2.256 198.51.100.7 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP4 192.0.2 198.51.100.7 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP4 192.0.2.1 198.51.100.7 01 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP4 192.0.2.1 198.51.100.7 65536 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP4 192.0.2.1 198.51.100.7 -1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP4 192.0.2.1 198.51.100.7 000001 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP4 2001:db8::1 ::1 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP6 1::2::3 ::1 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP6 1:::2 ::1 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP6 12345:: ::1 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP6 1: ::1 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP6 1.2.3.4:: ::1 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", PROXY_BAD_ADDRESS},
                {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
                 "65535 \r\n",
                 PROXY_TOO_LONG}, /* 108 bytes */
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct proxy_header header;
                assert_int_equal(parse(cases[i].line, strlen(cases[i].line), &header), cases[i].result);
                assert_int_equal(header.version, 0);
        }
}

/* A sequence that is the same in every run. */
static unsigned random_below(unsigned limit)
{
        static uint64_t state = 11;

        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        return (unsigned)(state >> 33) % limit;
}

/* Addresses of version 1 are what inet_pton(3) takes, and nothing else is. */
static void test_ipv6_as_the_library(void **state)
{
        static const char alphabet[] = "0:1fg.:::", more[] = "192";

        (void)state;
        for (unsigned round = 0; round < 300000; round++) {
                char text[INET6_ADDRSTRLEN] = {0}, line[128];
                struct proxy_header header;
                unsigned char expected[16];
                unsigned length = 1 + random_below(20);
                for (unsigned i = 0; i < length; i++)
                        text[i] =
                                random_below(5) ? alphabet[random_below(sizeof(alphabet) - 1)] : more[random_below(3)];
                bool is_good = inet_pton(AF_INET6, text, expected) == 1;
                int size = snprintf(line, sizeof(line), "PROXY TCP6 %s ::1 1 2\r\n", text);
                enum proxy_result result = parse(line, (size_t)size, &header);
                if (is_good != (result == PROXY_DONE))
                        print_message("%s\n", text);
                assert_int_equal(result, is_good ? PROXY_DONE : PROXY_BAD_ADDRESS);
                if (is_good)
                        assert_memory_equal(&header.source.in6.sin6_addr, expected, 16);
        }
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_BYTES "\xc0\x00\x02\x01\xc6\x33\x64\x07\xdc\x04\x01\xbb" /* 192.0.2.1:56324 198.51.100.7:443 */

/* A header of version 2 with those bytes behind its first 16. */
static size_t compose(unsigned char *ret, unsigned version_command, unsigned family, const void *bytes, size_t size)
{
        memcpy(ret, SIGNATURE, 12); /* NOLINT(bugprone-not-null-terminated-result): bytes */
        ret[12] = (unsigned char)version_command;
        ret[13] = (unsigned char)family;
        ret[14] = (unsigned char)(size >> 8);
        ret[15] = (unsigned char)size;
        memcpy(ret + 16, bytes, size);
        return 16 + size;
}

static void test_version_2(void **state)
{
        static const char v6[36] = {0x20, 0x01, 0x0d, [15] = 1, [31] = 2, [33] = 80, [35] = 81};
        static const char unix_addresses[216] = "/client";
        unsigned char bytes[PROXY_HEADER_MAX];
        struct proxy_header header;

        (void)state;
        check_whole(bytes, compose(bytes, 0x21, 0x11, V4_BYTES, 12), &header);
        assert_int_equal(header.version, 2);
        check_addresses(&header, "192.0.2.1:56324", "198.51.100.7:443");
        check_whole(bytes, compose(bytes, 0x21, 0x21, v6, sizeof(v6)), &header);
        check_addresses(&header, "[2001:d00::1]:80", "[::2]:81");
        check_whole(bytes, compose(bytes, 0x21, 0x31, unix_addresses, sizeof(unix_addresses)), &header);
        assert_false(header.has_addresses);
        check_whole(bytes, compose(bytes, 0x21, 0x00, "what ever", 9), &header);
        assert_false(header.has_addresses);
        check_whole(bytes, compose(bytes, 0x20, 0x11, V4_BYTES, 12), &header); /* LOCAL: the proxy's own */
        assert_false(header.has_addresses);
        check_whole(bytes, compose(bytes, 0x20, 0x00, "", 0), &header);
        assert_false(header.has_addresses);
}

static void test_no_version_2(void **state)
{
        static const struct {
                unsigned command, family;
                size_t size;
                enum proxy_result result;
        } cases[] = {
                {0x11, 0x11, 12, PROXY_BAD_COMMAND},  {0x31, 0x11, 12, PROXY_BAD_COMMAND},
                {0x22, 0x11, 12, PROXY_BAD_COMMAND},  {0x21, 0x41, 12, PROXY_BAD_COMMAND},
                {0x21, 0x13, 12, PROXY_BAD_COMMAND},  {0x21, 0x12, 12, PROXY_BAD_COMMAND},
                {0x21, 0x10, 12, PROXY_BAD_COMMAND},  {0x21, 0x01, 12, PROXY_BAD_COMMAND},
                {0x21, 0x11, 11, PROXY_BAD_ADDRESS},  {0x21, 0x21, 35, PROXY_BAD_ADDRESS},
                {0x21, 0x31, 215, PROXY_BAD_ADDRESS}, {0x21, 0x11, 13, PROXY_BAD_VALUE},
                {0x21, 0x11, 14, PROXY_BAD_VALUE},
        };
        static const char zeroes[216];
        unsigned char bytes[PROXY_HEADER_MAX];
        struct proxy_header header;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                size_t size = compose(bytes, cases[i].command, cases[i].family, zeroes, cases[i].size);
                assert_int_equal(parse(bytes, size, &header), cases[i].result);
        }
        compose(bytes, 0x21, 0x11, V4_BYTES, 12);
        bytes[14] = 0x10; /* 4096 and the first 16 */
        assert_int_equal(parse(bytes, 28, &header), PROXY_TOO_LONG);
        bytes[4] = 1;
        assert_int_equal(parse(bytes, 28, &header), PROXY_NO_HEADER);
}

/* The addresses and these values. */
static enum proxy_result parse_values(const char *values, size_t size, struct proxy_header *ret)
{
        unsigned char bytes[PROXY_HEADER_MAX], behind[PROXY_HEADER_MAX];

        memcpy(behind, V4_BYTES, 12); /* NOLINT(bugprone-not-null-terminated-result): bytes */
        memcpy(behind + 12, values, size);
        return parse(bytes, compose(bytes, 0x21, 0x11, behind, 12 + size), ret);
}
#define VALUES(text, header) parse_values(text, sizeof(text) - 1, header)

static void test_values(void **state)
{
        struct proxy_header header;

        (void)state;
        assert_int_equal(VALUES("\x02\x00\x0b"
                                "example.org"
                                "\x05\x00\x03\x00\xfe\x7f"
                                "\xee\x00\x00" /* of a kind that nobody knows */
                                "\x04\x00\x02--",
                                &header),
                         PROXY_DONE);
        assert_string_equal(header.authority, "example.org");
        assert_string_equal(header.unique_id, "00fe7f");
        assert_false(header.is_ssl);
        assert_int_equal(VALUES("\x02\x00\x01\n", &header), PROXY_BAD_VALUE);
        assert_int_equal(VALUES("\x02\x00\x02\xc3\xa4", &header), PROXY_BAD_VALUE); /* ASCII alone */
        assert_int_equal(VALUES("\x02\x00\x02x", &header), PROXY_BAD_VALUE);
        assert_int_equal(VALUES("\x02\x00", &header), PROXY_BAD_VALUE);
        assert_string_equal(header.authority, "");
        char id[3 + 129] = "\x05\x00\x80";
        assert_int_equal(parse_values(id, 3 + 128, &header), PROXY_DONE);
        assert_int_equal(strlen(header.unique_id), 256);
        id[2] = (char)0x81;
        assert_int_equal(parse_values(id, sizeof(id), &header), PROXY_BAD_VALUE);
}

static void test_ssl(void **state)
{
        struct proxy_header header;

        (void)state;
        assert_int_equal(VALUES("\x20\x00\x1f\x07\x00\x00\x00\x00"
                                "\x21\x00\x07TLSv1.3"
                                "\x22\x00\x05J\xc3\xb6rg"
                                "\x23\x00\x05ZZZZZ",
                                &header),
                         PROXY_DONE);
        assert_true(header.is_ssl && header.is_certified);
        assert_string_equal(header.ssl_version, "TLSv1.3");
        assert_string_equal(header.ssl_name, "J\xc3\xb6rg");
        assert_string_equal(header.ssl_cipher, "ZZZZZ");
        assert_int_equal(VALUES("\x20\x00\x05\x07\x00\x00\x00\x01", &header), PROXY_DONE);
        assert_true(header.is_ssl && !header.is_certified); /* the certificate was not verified */
        assert_int_equal(VALUES("\x20\x00\x05\x01\x00\x00\x00\x00", &header), PROXY_DONE);
        assert_true(header.is_ssl && !header.is_certified); /* there was none */
        assert_int_equal(VALUES("\x20\x00\x05\x06\x00\x00\x00\x00", &header), PROXY_DONE);
        assert_false(header.is_ssl || header.is_certified);
        assert_int_equal(VALUES("\x20\x00\x09\x01\x00\x00\x00\x00\x22\x00\x01\n", &header), PROXY_DONE);
        assert_string_equal(header.ssl_name, ""); /* it cannot be shown */
        assert_int_equal(VALUES("\x20\x00\x04\x01\x00\x00\x00", &header), PROXY_BAD_VALUE);
        assert_int_equal(VALUES("\x20\x00\x09\x01\x00\x00\x00\x00\x22\x00\x02x", &header), PROXY_BAD_VALUE);
}

/* The checksum of "123456789" is known; of a header it is computed here. */
static uint32_t crc32c(const unsigned char *bytes, size_t size)
{
        uint32_t value = UINT32_MAX;

        for (size_t i = 0; i < size; i++)
                for (unsigned bit = 0; bit < 8; bit++) {
                        bool is_set = (value ^ bytes[i] >> bit) & 1;
                        value = value >> 1 ^ (is_set ? UINT32_C(0x82f63b78) : 0);
                }
        return ~value;
}

static void test_checksum(void **state)
{
        unsigned char bytes[64];
        struct proxy_header header;

        (void)state;
        assert_int_equal(crc32c((const unsigned char *)"123456789", 9), 0xe3069283);
        size_t size = compose(bytes, 0x21, 0x11, V4_BYTES "\x03\x00\x04\0\0\0\0\x04\x00\x01z", 23);
        uint32_t sum = crc32c(bytes, size);
        for (unsigned i = 0; i < 4; i++)
                bytes[31 + i] = (unsigned char)(sum >> (24 - 8 * i));
        assert_int_equal(parse(bytes, size, &header), PROXY_DONE);
        for (size_t i = 16; i < size; i++) {
                if (i >= 28 && i < 31)
                        continue; /* the type and the length of the checksum */
                bytes[i] ^= 0x10;
                assert_true(parse(bytes, size, &header) != PROXY_DONE || (i >= 35 && i < 38));
                bytes[i] ^= 0x10;
        }
        bytes[30] = 3;
        assert_int_equal(parse(bytes, size, &header), PROXY_BAD_VALUE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_version_1),
                cmocka_unit_test(test_no_version_1),
                cmocka_unit_test(test_ipv6_as_the_library),
                cmocka_unit_test(test_version_2),
                cmocka_unit_test(test_no_version_2),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_ssl),
                cmocka_unit_test(test_checksum),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
