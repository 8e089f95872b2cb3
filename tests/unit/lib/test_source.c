#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/source.h"

static struct rate_table table = {.key = {0x0123456789abcdefULL, 0xfedcba9876543210ULL}};

static uint64_t source(const char *text)
{
        struct address address;

        assert_int_equal(address_parse(text, &address), 0);
        return source_of(&table, &address);
}

/* An IPv4 address as a dual-stack listener reports it. */
static uint64_t mapped_source(const char *text)
{
        struct address four, six = {.in6 = {.sin6_family = AF_INET6}, .length = sizeof(six.in6)};

        assert_int_equal(address_parse(text, &four), 0);
        six.in6.sin6_port = four.in.sin_port;
        six.in6.sin6_addr.s6_addr[10] = six.in6.sin6_addr.s6_addr[11] = 0xff;
        for (unsigned i = 0; i < 4; i++)
                six.in6.sin6_addr.s6_addr[12 + i] = ((const unsigned char *)&four.in.sin_addr)[i];
        assert_true(IN6_IS_ADDR_V4MAPPED(&six.in6.sin6_addr));
        return source_of(&table, &six);
}

static void test_is_the_address(void **state)
{
        (void)state;
        assert_true(source("192.0.2.1:80") != 0);
        assert_true(source("192.0.2.1:80") == source("192.0.2.1:65535")); /* a client has many ports */
        assert_true(source("192.0.2.1:80") != source("192.0.2.2:80"));
        assert_true(source("192.0.2.1:80") != source("1.2.0.192:80"));
        assert_true(source("[2001:db8::1]:80") == source("[2001:db8::1]:81"));
        assert_true(source("[2001:db8::1]:80") != source("[2001:db8::2]:80"));
        assert_true(source("[2001:db8::1]:80") != source("[2001:db9::1]:80"));
}

/* One client through an IPv4 and a dual-stack listener is one client. */
static void test_mapped_is_the_same(void **state)
{
        (void)state;
        assert_true(mapped_source("192.0.2.1:80") == source("192.0.2.1:80"));
        assert_true(mapped_source("192.0.2.2:80") != source("192.0.2.1:80"));
        assert_true(source("[::]:80") != 0);
        assert_true(source("0.0.0.0:80") != 0);
}

static void test_unix_has_none(void **state)
{
        (void)state;
        assert_true(source("/run/client.sock") == 0);
        assert_true(source("@client") == 0);
}

static void test_users(void **state)
{
        (void)state;
        assert_true(source_of_user(&table, 0) != 0);
        assert_true(source_of_user(&table, 7) == source_of_user(&table, 7));
        assert_true(source_of_user(&table, 7) != source_of_user(&table, 7 << 8));
        assert_true(source_of_user(&table, 0x0a000001) != source("10.0.0.1:1"));
}

static void test_prefixes(void **state)
{
        (void)state;
        table.prefix_ipv4 = 23;
        table.prefix_ipv6 = 56;
        assert_true(source("192.0.2.1:80") == source("192.0.3.255:80"));
        assert_true(source("192.0.2.1:80") != source("192.0.4.1:80"));
        assert_true(mapped_source("192.0.3.7:80") == source("192.0.2.1:80"));
        assert_true(source("[2001:db8:0:1ff::1]:80") == source("[2001:db8:0:100:9::]:80"));
        assert_true(source("[2001:db8:0:1ff::1]:80") != source("[2001:db8:0:200::1]:80"));
        table.prefix_ipv4 = 32;
        table.prefix_ipv6 = 128;
        assert_true(source("192.0.2.1:80") != source("192.0.2.0:80"));
        assert_true(source("[2001:db8::1]:80") != source("[2001:db8::]:80"));
        table.prefix_ipv4 = table.prefix_ipv6 = 1;
        assert_true(source("127.255.255.255:80") == source("0.0.0.0:80"));
        assert_true(source("128.0.0.0:80") != source("0.0.0.0:80"));
        table.prefix_ipv4 = table.prefix_ipv6 = 999; /* whatever was written there */
        assert_true(source("192.0.2.1:80") != source("192.0.2.0:80"));
        table.prefix_ipv4 = table.prefix_ipv6 = 0;
}

/* Who does not know the key cannot foresee which sources meet. */
static void test_the_key_matters(void **state)
{
        struct address address;

        (void)state;
        assert_int_equal(address_parse("192.0.2.1:80", &address), 0);
        uint64_t before = source_of(&table, &address);
        table.key[1] ^= 1;
        assert_true(source_of(&table, &address) != before);
        table.key[1] ^= 1;
        assert_true(source_of(&table, &address) == before);
        assert_true(source_of(NULL, &address) != 0);
}

static int compare(const void *a, const void *b)
{
        uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

        return left < right ? -1 : left > right;
}

/* All addresses of a network: each has its own limit. */
static void test_neighbours_do_not_collide(void **state)
{
        static uint64_t sources[2 * 65536];
        size_t count = 0;

        (void)state;
        for (uint32_t host = 0; host < 65536; host++) {
                struct address four = {.in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000000 + host)}};
                struct address six = {.in6 = {.sin6_family = AF_INET6}};
                six.in6.sin6_addr.s6_addr[0] = 0x20;
                six.in6.sin6_addr.s6_addr[6] = (uint8_t)(host >> 8);
                six.in6.sin6_addr.s6_addr[15] = (uint8_t)host;
                sources[count++] = source_of(&table, &four);
                sources[count++] = source_of(&table, &six);
        }
        qsort(sources, count, sizeof(sources[0]), compare);
        assert_true(sources[0] != 0);
        for (size_t i = 1; i < count; i++)
                assert_true(sources[i] != sources[i - 1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_is_the_address),
                cmocka_unit_test(test_mapped_is_the_same),
                cmocka_unit_test(test_unix_has_none),
                cmocka_unit_test(test_users),
                cmocka_unit_test(test_prefixes),
                cmocka_unit_test(test_the_key_matters),
                cmocka_unit_test(test_neighbours_do_not_collide),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
