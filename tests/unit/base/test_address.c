/* Addresses: what is written, what is shown, and that the one reads the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "base/address.h"
#include "base/cleanup.h"
#include "base/text.h"

static void test_forms(void **state)
{
        (void)state;
        static const struct {
                const char *written, *shown, *host;
                unsigned port;
                int family;
        } cases[] = {
                {"192.0.2.1:80", "192.0.2.1:80", "192.0.2.1", 80, AF_INET},
                {"0.0.0.0:65535", "0.0.0.0:65535", "0.0.0.0", 65535, AF_INET},
                {"localhost:7", "127.0.0.1:7", "127.0.0.1", 7, AF_INET},
                {"*:80", "[::]:80", "::", 80, AF_INET6},
                {"[::]:080", "[::]:80", "::", 80, AF_INET6},
                {"[2001:DB8:0::1]:443", "[2001:db8::1]:443", "2001:db8::1", 443, AF_INET6},
                {"[::ffff:192.0.2.1]:80", "192.0.2.1:80", "192.0.2.1", 80, AF_INET},
                {"[fe80::1%lo]:80", "[fe80::1%lo]:80", "fe80::1%lo", 80, AF_INET6},
                {"/run/a b;.sock", "/run/a b;.sock", "", 0, AF_UNIX},
                {"@name", "@name", "", 0, AF_UNIX},
                {"udp:192.0.2.1:69", "udp:192.0.2.1:69", "192.0.2.1", 69, AF_INET},
                {"udp:*:69", "udp:[::]:69", "::", 69, AF_INET6},
                {"udp:localhost:7", "udp:127.0.0.1:7", "127.0.0.1", 7, AF_INET},
                {"udp:[fe80::1%lo]:69", "udp:[fe80::1%lo]:69", "fe80::1%lo", 69, AF_INET6},
                {"unixgram:/run/log", "unixgram:/run/log", "", 0, AF_UNIX},
                {"unixgram:@log", "unixgram:@log", "", 0, AF_UNIX},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct address address, again;
                char text[ADDRESS_TEXT_MAX], host[ADDRESS_TEXT_MAX];
                assert_int_equal(address_parse(cases[i].written, &address), 0);
                assert_int_equal(address.any.sa_family, cases[i].family);
                assert_int_equal(address_port(&address), cases[i].port);
                address_format(&address, text, sizeof(text));
                assert_string_equal(text, cases[i].shown);
                address_format_host(&address, host, sizeof(host));
                assert_string_equal(host, cases[i].host);
                assert_int_equal(address_parse(text, &again), 0);
                assert_true(address_equal(&address, &again));
        }
}

static void test_refusals(void **state)
{
        (void)state;
        static const struct {
                const char *string;
                int result;
        } cases[] = {
                {"", -EINVAL},
                {"80", -EINVAL},
                {":80", -EINVAL},
                {"192.0.2.1", -EINVAL},
                {"192.0.2.1:", -EINVAL},
                {"192.0.2.1:http", -EINVAL},
                {"192.0.2.1:0", -ERANGE},
                {"192.0.2.1:65536", -ERANGE},
                {"192.0.2.1:99999999999999999999", -ERANGE},
                {"192.0.2.256:80", -EINVAL},
                {"192.0.2:80", -EINVAL},
                {"::1:80", -EINVAL},
                {"[::1]80", -EINVAL},
                {"[::1:80", -EINVAL},
                {"[]:80", -EINVAL},
                {"[:80", -EINVAL},
                {"[192.0.2.1]:80", -EINVAL},
                {"[::1%]:80", -ENODEV},
                {"[fe80::1%nonesuch0]:80", -ENODEV},
                {"example.org:80", -EINVAL},
                {"**:80", -EINVAL},
                {"/", -EINVAL},
                {"@", -EINVAL},
                {"./x", -EINVAL},
                {"systemd:x", -EINVAL},
                {"udp:", -EINVAL},
                {"udp:69", -EINVAL},
                {"udp:/run/log", -EINVAL},
                {"udp:@log", -EINVAL},
                {"udp:udp:127.0.0.1:69", -EINVAL},
                {"udp:127.0.0.1:0", -ERANGE},
                {"unixgram:", -EINVAL},
                {"unixgram:127.0.0.1:69", -EINVAL},
                {"unixgram:relative", -EINVAL},
                {"tcp:127.0.0.1:80", -EINVAL},
                {" 192.0.2.1:80", -EINVAL},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct address address = {.length = 1};
                int r = address_parse(cases[i].string, &address);
                if (r != cases[i].result || address.length != 1)
                        fail_msg("\"%s\": %d", cases[i].string, r);
        }
}

static void test_longest_unix_paths(void **state)
{
        (void)state;
        struct address address, again;
        char path[128], text[ADDRESS_TEXT_MAX];

        for (int abstract = 0; abstract < 2; abstract++) {
                memset(path, 'x', sizeof(path));
                path[0] = abstract ? '@' : '/';
                path[sizeof(address.un.sun_path)] = '\0';
                assert_int_equal(address_parse(path, &address), -ENAMETOOLONG);
                path[sizeof(address.un.sun_path) - 1] = '\0';
                assert_int_equal(address_parse(path, &address), 0);
                assert_true(address.length <= sizeof(address.un));
                address_format(&address, text, sizeof(text));
                assert_string_equal(text, path);
                assert_int_equal(address_parse(text, &again), 0);
                assert_true(address_equal(&address, &again));
        }
}

static void test_what_the_kernel_fills_in(void **state)
{
        (void)state;
        struct address unnamed = {.un = {.sun_family = AF_UNIX}, .length = offsetof(struct sockaddr_un, sun_path)};
        struct address mapped = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(99)},
                                 .length = sizeof(mapped.in6)};
        char text[ADDRESS_TEXT_MAX];

        address_format(&unnamed, text, sizeof(text));
        assert_string_equal(text, "");
        /* A path without a NUL: the kernel allows all 108 bytes. */
        struct address full = {.un = {.sun_family = AF_UNIX}, .length = sizeof(full.un)};
        memset(full.un.sun_path, 'y', sizeof(full.un.sun_path));
        full.un.sun_path[0] = '/';
        address_format(&full, text, sizeof(text));
        assert_int_equal(strlen(text), sizeof(full.un.sun_path));
        /* An IPv4 client of a socket for both families. */
        assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.in6.sin6_addr), 1);
        address_format(&mapped, text, sizeof(text));
        assert_string_equal(text, "192.0.2.7:99");
        /* An interface that is gone. */
        struct address scoped = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(1), .sin6_scope_id = 999999},
                                 .length = sizeof(scoped.in6)};
        address_format(&scoped, text, sizeof(text));
        assert_string_equal(text, "[::%999999]:1");
}

static void test_equality(void **state)
{
        (void)state;
        static const char *const different[] = {"127.0.0.1:80", "127.0.0.1:81", "127.0.0.2:80", "[::1]:80", "[::]:80",
                                                "/a",           "/ab",          "@a",           "@ab"};

        for (size_t i = 0; i < ELEMENTS(different); i++)
                for (size_t j = 0; j < ELEMENTS(different); j++) {
                        struct address a, b;
                        assert_int_equal(address_parse(different[i], &a), 0);
                        assert_int_equal(address_parse(different[j], &b), 0);
                        assert_int_equal(address_equal(&a, &b), i == j);
                }
}

/* Every pair of the list, in both orders. */
static void test_loopback(void **state)
{
        static const char *const near[] = {"127.0.0.1:7", "127.9.9.9:7", "[::1]:7", "/x", "@x", "udp:127.0.0.1:7"},
                                 *const far[] = {"0.0.0.0:7", "128.0.0.1:7", "[::]:7", "[::2]:7", "udp:192.0.2.1:7"};
        struct address address;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(near); i++) {
                assert_int_equal(address_parse(near[i], &address), 0);
                assert_true(address_is_loopback(&address));
        }
        for (size_t i = 0; i < ELEMENTS(far); i++) {
                assert_int_equal(address_parse(far[i], &address), 0);
                assert_false(address_is_loopback(&address));
        }
        /* An IPv4 client of a socket for both families. */
        struct address mapped = {.in6 = {.sin6_family = AF_INET6}, .length = sizeof(mapped.in6)};
        assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.2", &mapped.in6.sin6_addr), 1);
        assert_true(address_is_loopback(&mapped));
}

static void test_clashes(void **state)
{
        static const struct {
                const char *a, *b;
                bool clash, clash_if_ipv6_only;
        } pairs[] = {
                {"127.0.0.1:80", "127.0.0.1:80", true, true},
                {"127.0.0.1:80", "127.0.0.2:80", false, false},
                {"127.0.0.1:80", "0.0.0.0:80", true, true},
                {"127.0.0.1:80", "0.0.0.0:81", false, false},
                {"127.0.0.1:80", "[::]:80", true, false},
                {"0.0.0.0:80", "[::]:80", true, false},
                {"[::1]:80", "[::]:80", true, true},
                {"[::1]:80", "0.0.0.0:80", false, false},
                {"[::1]:80", "127.0.0.1:80", false, false},
                {"/a", "/a", true, true},
                {"/a", "@a", false, false},
                {"/a", "0.0.0.0:80", false, false},
                {"udp:127.0.0.1:80", "udp:0.0.0.0:80", true, true},
                {"udp:127.0.0.1:80", "udp:[::]:80", true, false},
                {"udp:127.0.0.1:80", "127.0.0.1:80", false, false},
                {"udp:0.0.0.0:80", "127.0.0.1:80", false, false},
                {"/a", "unixgram:/a", true, true},
                {"@a", "unixgram:@a", false, false},
                {"[::ffff:127.0.0.1]:80", "[::]:80", true, false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(pairs); i++)
                for (int swap = 0; swap < 2; swap++) {
                        struct address a, b;
                        assert_int_equal(address_parse(swap ? pairs[i].b : pairs[i].a, &a), 0);
                        assert_int_equal(address_parse(swap ? pairs[i].a : pairs[i].b, &b), 0);
                        assert_int_equal(address_clashes(&a, false, &b, false), pairs[i].clash);
                        assert_int_equal(address_clashes(&a, true, &b, true), pairs[i].clash_if_ipv6_only);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forms),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_longest_unix_paths),
                cmocka_unit_test(test_what_the_kernel_fills_in),
                cmocka_unit_test(test_equality),
                cmocka_unit_test(test_clashes),
                cmocka_unit_test(test_loopback),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
