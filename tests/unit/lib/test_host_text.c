/* Addresses as text without libc: the same as base/address, which uses libc. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/address.h"
#include "lib/host_text.h"

#define RANDOM_ADDRESSES 200000

static void check(const struct address *address)
{
        char expected[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX];
        struct line line = line_begin(text, sizeof(text));

        address_format_host(address, expected, sizeof(expected));
        host_text_add(&line, address, -1);
        assert_string_equal(text, expected);
        assert_int_equal(host_text_port(address), address_port(address));
}

static void test_known(void **state)
{
        static const char *const texts[] = {"0.0.0.0:1",
                                            "127.0.0.1:65535",
                                            "255.255.255.255:80",
                                            "[::]:80",
                                            "[::1]:80",
                                            "[1::]:80",
                                            "[fe80::1]:443",
                                            "[::ffff:1.2.3.4]:9",
                                            "[::8]:1",
                                            "[1:0:0:2::3]:1",
                                            "[2001:db8::1:0:0:1]:8080",
                                            "[1:2:3:4:5:6:7:8]:1",
                                            "[::1.2.3.4]:7",
                                            "[1:0:2:0:3:0:4:0]:1"};

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                struct address address;
                assert_int_equal(address_parse(texts[i], &address), 0);
                check(&address);
        }
}

/* Numbers as good as random, and the same in every run (xorshift64). */
static uint64_t next(void)
{
        static uint64_t state = 0x9e3779b97f4a7c15;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state >> 11;
}

/* Words that are often zero, so that runs of all lengths come up. */
static void test_random(void **state)
{
        (void)state;
        for (unsigned i = 0; i < RANDOM_ADDRESSES; i++) {
                struct address address = {.in6 = {.sin6_family = AF_INET6, .sin6_port = (in_port_t)next()},
                                          .length = sizeof(address.in6)};
                for (unsigned k = 0; k < 16; k++)
                        address.in6.sin6_addr.s6_addr[k] = next() % 3 ? 0 : (unsigned char)next();
                check(&address);
        }
}

static void check_path(const char *path, size_t length, const char *expected)
{
        struct address address = {.un = {.sun_family = AF_UNIX}};
        char formatted[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX];
        struct line line = line_begin(text, sizeof(text));

        memcpy(address.un.sun_path, path, length);
        address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
        address_format(&address, formatted, sizeof(formatted));
        host_text_add_path(&line, &address);
        assert_string_equal(text, expected);
        assert_string_equal(text, formatted);
}

static void test_paths(void **state)
{
        (void)state;
        check_path("", 0, "");
        check_path("/run/x.sock", 12, "/run/x.sock");
        check_path("/run/x.sock", 11, "/run/x.sock");
        check_path("\0name", 5, "@name");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_known),
                cmocka_unit_test(test_random),
                cmocka_unit_test(test_paths),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
