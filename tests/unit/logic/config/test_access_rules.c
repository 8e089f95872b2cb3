/* Access rules: words, the canonical form, and what a configuration makes of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/config/access_rules.h"
#include "logic/config/config_options.h"
#include "logic/config/parse.h"
#include "logic/config/print.h"
#include "unit/config_helpers.h"

static void test_words(void **state)
{
        static const struct {
                const char *word;
                int kind;
        } cases[] = {
                {"10.0.0.0/8", ACCESS_WORD_RULE},
                {"::1", ACCESS_WORD_RULE},
                {"unix", ACCESS_WORD_RULE},
                {"uid:0", ACCESS_WORD_RULE},
                {"gid:33", ACCESS_WORD_RULE},
                {"uid:4294967294", ACCESS_WORD_RULE},
                {"uid:root", ACCESS_WORD_USER},
                {"gid:adm", ACCESS_WORD_GROUP},
                {"@/etc/list", ACCESS_WORD_LIST},
                {"uid:", -EINVAL},
                {"uid:4294967295", -EINVAL},
                {"@list", -EINVAL},
                {"@", -EINVAL},
                {"Unix", -EINVAL},
                {"all", -EINVAL},
                {"10.0.0.1/8", -EDOM},
                {"10.0.0.0/40", -ERANGE},
                {"", -EINVAL},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct access_rule rule;
                assert_int_equal(access_word_parse(cases[i].word, &rule), cases[i].kind);
        }
        assert_string_equal(access_word_name("uid:root"), "root");
        assert_string_equal(access_word_name("@/etc/list"), "/etc/list");
}

static void check_canonical(const char *string, const char *expected)
{
        _cleanup_(access_rules_clear) struct access_rules rules = {0};
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(access_rules_parse(string, &rules), 0);
        assert_int_equal(access_rules_print(&rules, &text), 0);
        assert_string_equal(text_string(&text), expected);
}

static void test_canonical_form(void **state)
{
        static const char *const bad[] = {"10.0.0.0/8 x", "- @/etc/list", "+ uid:root", "'"};
        _cleanup_(access_rules_clear) struct access_rules rules = {0};

        (void)state;
        check_canonical("", "+");
        check_canonical("+ 10.0.0.0/8 ::1 - 10.0.0.1 uid:5 + gid:6 unix",
                        "+ 10.0.0.0/8 ::1 - 10.0.0.1 uid:5 + gid:6 unix");
        check_canonical("- unix", "+ - unix");
        assert_int_equal(access_rules_parse("10.0.0.0/8", &rules), 0);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(access_rules_parse(bad[i], &rules), -EINVAL);
        assert_int_equal(rules.count, 1);
}

static bool admits(const struct pool_config *pool, const char *client)
{
        const struct access_user nobody = {0};
        struct address peer;

        assert_int_equal(address_parse(client, &peer), 0);
        return access_admits(pool->access.table, access_look_up(pool->access.table, &peer, &nobody));
}

/* What a list contained is in the canonical form, and in no other. */
static void test_configuration(void **state)
{
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text text = {0}, without = {0};
        const struct config_context context = {.uid = 1000, .gid = 1000};
        struct config *back = NULL;

        (void)state;
        load_good(&config, "f",
                  "[a]\nlisten = /x\nhandler = cat\nallow = 10.0.0.0/8 ::/0\ndeny = 10.0.0.1\n"
                  "[b]\nlisten = /y\nhandler = cat\n");
        assert_true(admits(config.pools[0], "10.0.0.2:1"));
        assert_false(admits(config.pools[0], "10.0.0.1:1"));
        assert_false(admits(config.pools[0], "192.0.2.1:1"));
        assert_true(admits(config.pools[0], "[2001:db8::1]:1"));
        assert_null(config.pools[1]->access.table);
        const struct access_rule more = {.kind = ACCESS_OF_NETWORK, .answer = ACCESS_DENY, .network.is_v6 = true};
        assert_int_equal(access_rules_add(&config.pools[0]->access.rules, &more), 0); /* ::/0, as from a list */
        assert_int_equal(config_print(&config, true, &text), 0);
        assert_int_equal(config_from_canonical(text.bytes, text.length, &context, &back, &problems), 0);
        assert_problems(&problems, "");
        assert_false(admits(back->pools[0], "[2001:db8::1]:1"));
        assert_true(admits(back->pools[0], "10.0.0.2:1"));
        assert_false(access_table_equal(config.pools[0]->access.table, back->pools[0]->access.table));
        assert_int_equal(config_print(&config, false, &without), 0);
        assert_null(strstr(text_string(&without), "\naccess ="));
        config_clear(back);
        free(back);
}

/* Nobody has read the list, so nobody knows who may come in: the pool is refused. */
static void test_unknown_rules(void **state)
{
        static const char file[] = "[a]\nlisten = /x\nhandler = cat\ndeny = @/list\n";
        static const char broken[] = "[a]\nlisten = /x\nhandler = cat\ndeny = @/list\naccess = - nonsense\n";
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0}, others = {0};
        const struct config_context context = {.uid = 1000, .gid = 1000};
        struct config *back = NULL;

        (void)state;
        assert_int_equal(config_parse(&config, "f", file, strlen(file), &problems), 0);
        assert_int_equal(config_finish(&config, &context, &problems), 0);
        assert_problems(&problems, "f:4: deny: its lists and names are not known here");
        assert_int_equal(config_from_canonical(broken, strlen(broken), &context, &back, &others), 0);
        assert_true(problem_list_refuses(&others));
        assert_null(back);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_canonical_form),
                cmocka_unit_test(test_configuration),
                cmocka_unit_test(test_unknown_rules),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
