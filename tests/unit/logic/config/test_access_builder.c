/* The table of access rules: it answers what the rules say, for every client, and quickly. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "logic/config/access_builder.h"

static const struct access_user unknown = {0};

static struct access_table *build(const char *words, bool is_closed)
{
        _cleanup_(access_rules_clear) struct access_rules rules = {0};
        struct access_table *table = NULL;

        assert_int_equal(access_rules_parse(words, &rules), 0);
        assert_int_equal(access_table_build(&rules, is_closed, &table), 0);
        assert_true(access_is_whole(table, table->bytes));
        assert_false(access_is_whole(table, table->bytes - 1));
        return table;
}

static struct address client(const char *text)
{
        struct address address = {.any.sa_family = AF_INET6};

        if (inet_pton(AF_INET6, text, &address.in6.sin6_addr) == 1)
                return address;
        address.any.sa_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &address.in.sin_addr), 1);
        return address;
}

static enum access_answer ask(const struct access_table *table, const char *text)
{
        const struct address peer = client(text);

        return access_look_up(table, &peer, &unknown);
}

static void test_the_most_specific_decides(void **state)
{
        _cleanup_(freep) struct access_table *table =
                build("10.0.0.0/8 10.1.2.0/24 2001:db8::/32 - 10.1.0.0/16 10.1.2.3 2001:db8:1::/48 0.0.0.0/0", true);

        (void)state;
        assert_int_equal(ask(table, "10.2.0.1"), ACCESS_ALLOW);
        assert_int_equal(ask(table, "10.1.0.1"), ACCESS_DENY);
        assert_int_equal(ask(table, "10.1.2.1"), ACCESS_ALLOW);
        assert_int_equal(ask(table, "10.1.2.3"), ACCESS_DENY);
        assert_int_equal(ask(table, "10.1.2.4"), ACCESS_ALLOW);
        assert_int_equal(ask(table, "10.1.3.0"), ACCESS_DENY);
        assert_int_equal(ask(table, "9.255.255.255"), ACCESS_DENY);
        assert_int_equal(ask(table, "255.255.255.255"), ACCESS_DENY);
        assert_int_equal(ask(table, "::ffff:10.1.2.4"), ACCESS_ALLOW); /* as a dual-stack listener reports it */
        assert_int_equal(ask(table, "::ffff:10.1.2.3"), ACCESS_DENY);
        assert_int_equal(ask(table, "2001:db8::1"), ACCESS_ALLOW);
        assert_int_equal(ask(table, "2001:db8:1::1"), ACCESS_DENY);
        assert_int_equal(ask(table, "2001:db9::"), ACCESS_NO_RULE);
        assert_int_equal(ask(table, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ACCESS_NO_RULE);
}

static void test_of_two_equal_ones_the_denial(void **state)
{
        static const char *const words[] = {"10.0.0.0/8 - 10.0.0.0/8", "- 10.0.0.0/8 + 10.0.0.0/8",
                                            "10.0.0.0/8 - 10.0.0.0/8 + 10.0.0.0/8"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(words); i++) {
                _cleanup_(freep) struct access_table *table = build(words[i], true);
                assert_int_equal(ask(table, "10.0.0.1"), ACCESS_DENY);
                assert_int_equal(ask(table, "11.0.0.1"), ACCESS_NO_RULE);
        }
}

static void test_closed_and_open(void **state)
{
        _cleanup_(freep) struct access_table *closed = build("", true), *open = build("", false);

        (void)state;
        assert_false(access_admits(closed, ACCESS_NO_RULE));
        assert_true(access_admits(open, ACCESS_NO_RULE));
        assert_true(access_admits(closed, ACCESS_ALLOW));
        assert_false(access_admits(open, ACCESS_DENY));
        assert_true(access_table_equal(closed, closed));
        assert_false(access_table_equal(closed, open));
        assert_false(access_table_equal(closed, NULL));
        assert_true(access_table_equal(NULL, NULL));
}

static enum access_answer ask_user(const struct access_table *table, uint32_t uid, size_t count, const uint32_t *groups)
{
        const struct address peer = {.any.sa_family = AF_UNIX};
        struct access_user user = {.is_known = true, .uid = uid, .group_count = count};

        memcpy(user.groups, groups, count * sizeof(*groups));
        return access_look_up(table, &peer, &user);
}

static void test_users(void **state)
{
        _cleanup_(freep) struct access_table *table =
                build("uid:0 uid:7 gid:100 unix - uid:7 uid:8 gid:200 gid:0", false);
        const struct address peer = {.any.sa_family = AF_UNIX};
        static const uint32_t groups[] = {100, 200, 300};

        (void)state;
        assert_int_equal(ask_user(table, 0, 3, groups), ACCESS_ALLOW); /* the user is more specific */
        assert_int_equal(ask_user(table, 7, 1, groups), ACCESS_DENY);
        assert_int_equal(ask_user(table, 8, 1, groups), ACCESS_DENY);
        assert_int_equal(ask_user(table, 9, 1, groups), ACCESS_ALLOW);
        assert_int_equal(ask_user(table, 9, 2, groups), ACCESS_DENY);
        assert_int_equal(ask_user(table, 9, 1, &groups[2]), ACCESS_ALLOW); /* unix */
        assert_int_equal(access_look_up(table, &peer, &unknown), ACCESS_ALLOW);
        const struct access_user in_many = {.is_known = true, .uid = 9, .has_more_groups = true};
        assert_int_equal(access_look_up(table, &peer, &in_many), ACCESS_DENY);
        assert_true(access_needs_user(table));
        assert_int_equal(ask(table, "10.0.0.1"), ACCESS_NO_RULE);
}

/* By going through all rules. */
static enum access_answer naive(const struct access_rules *rules, const unsigned char *bytes, bool is_v6)
{
        enum access_answer answer = ACCESS_NO_RULE;
        unsigned longest = 0;

        for (size_t i = 0; i < rules->count; i++) {
                const struct network *network = &rules->items[i].network;
                bool matches = network->is_v6 == is_v6;
                for (unsigned bit = 0; bit < network->prefix && matches; bit++)
                        matches = !((network->bytes[bit / 8] ^ bytes[bit / 8]) & 0x80 >> bit % 8);
                if (!matches || (answer != ACCESS_NO_RULE && network->prefix < longest))
                        continue;
                if (answer == ACCESS_NO_RULE || network->prefix > longest || rules->items[i].answer == ACCESS_DENY)
                        answer = (enum access_answer)rules->items[i].answer;
                longest = network->prefix;
        }
        return answer;
}

/* A sequence that is the same in every run. */
static unsigned random_below(unsigned limit)
{
        static uint64_t state = 11;

        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        return (unsigned)(state >> 33) % limit;
}

/* An address out of few, so that networks lie within each other; at the ends of the space, too. */
static void draw(unsigned char *bytes, unsigned size)
{
        static const unsigned char some[] = {0, 0, 0, 1, 0x80, 0xff, 0xff};

        for (unsigned i = 0; i < size; i++)
                bytes[i] = some[random_below(sizeof(some))];
}

static void compare(const struct access_rules *rules, const struct access_table *table)
{
        for (unsigned i = 0; i < 200; i++) {
                bool is_v6 = i % 2;
                struct address peer = {.any.sa_family = is_v6 ? AF_INET6 : AF_INET};
                unsigned char bytes[16] = {0};
                draw(bytes, is_v6 ? 16 : 4);
                if (is_v6)
                        memcpy(&peer.in6.sin6_addr, bytes, 16);
                else
                        memcpy(&peer.in.sin_addr, bytes, 4);
                if (is_v6 && IN6_IS_ADDR_V4MAPPED(&peer.in6.sin6_addr))
                        continue;
                assert_int_equal(access_look_up(table, &peer, &unknown), naive(rules, bytes, is_v6));
        }
}

static void test_random_rules(void **state)
{
        (void)state;
        for (unsigned round = 0; round < 2000; round++) {
                _cleanup_(access_rules_clear) struct access_rules rules = {0};
                _cleanup_(freep) struct access_table *table = NULL;
                for (unsigned count = random_below(40); count > 0; count--) {
                        char text[NETWORK_TEXT_MAX];
                        struct access_rule rule = {.kind = ACCESS_OF_NETWORK,
                                                   .answer = random_below(2) ? ACCESS_ALLOW : ACCESS_DENY};
                        bool is_v6 = random_below(2);
                        unsigned char bytes[16] = {0};
                        draw(bytes, is_v6 ? 16 : 4);
                        assert_non_null(inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes, text, sizeof(text)));
                        unsigned prefix = random_below(is_v6 ? 129 : 33);
                        snprintf(text + strlen(text), 8, "/%u", prefix);
                        network_parse(text, &rule.network); /* with bits beyond the prefix: without them */
                        assert_int_equal(access_rules_add(&rules, &rule), 0);
                }
                assert_int_equal(access_table_build(&rules, true, &table), 0);
                compare(&rules, table);
        }
}

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#define MANY 100000
#define LOOKS 200000

/* 100,000 networks of each kind match in less than a microsecond. */
static void test_many(void **state)
{
        _cleanup_(access_rules_clear) struct access_rules rules = {0};
        _cleanup_(freep) struct access_table *table = NULL;
        unsigned admitted = 0;

        (void)state;
        for (unsigned i = 0; i < 2 * MANY; i++) {
                struct access_rule rule = {.kind = ACCESS_OF_NETWORK, .answer = i % 3 ? ACCESS_DENY : ACCESS_ALLOW};
                rule.network = (struct network){.is_v6 = i % 2, .prefix = i % 2 ? 64 : 24};
                for (unsigned byte = 0; byte < (i % 2 ? 8 : 3); byte++)
                        rule.network.bytes[byte] = (unsigned char)random_below(256);
                assert_int_equal(access_rules_add(&rules, &rule), 0);
        }
        assert_int_equal(access_table_build(&rules, true, &table), 0);
        assert_true(table->counts[ACCESS_IPV4] > MANY / 2 && table->counts[ACCESS_IPV6] > MANY);
        uint64_t begun_ns = now_ns();
        for (unsigned i = 0; i < LOOKS; i++) {
                struct address peer = {.any.sa_family = i % 2 ? AF_INET6 : AF_INET};
                const struct access_rule *rule = &rules.items[(i * UINT64_C(7919)) % rules.count & ~UINT64_C(1)];
                if (i % 2)
                        memcpy(&peer.in6.sin6_addr, rule[1].network.bytes, 16);
                else
                        memcpy(&peer.in.sin_addr, rule->network.bytes, 4);
                admitted += access_admits(table, access_look_up(table, &peer, &unknown));
        }
        uint64_t took_ns = (now_ns() - begun_ns) / LOOKS;
        print_message("a look-up takes %u ns, %u bytes\n", (unsigned)took_ns, table->bytes);
        assert_true(admitted > LOOKS / 10);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        assert_true(took_ns < 1000);
#endif
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_most_specific_decides),
                cmocka_unit_test(test_of_two_equal_ones_the_denial),
                cmocka_unit_test(test_closed_and_open),
                cmocka_unit_test(test_users),
                cmocka_unit_test(test_random_rules),
                cmocka_unit_test(test_many),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
