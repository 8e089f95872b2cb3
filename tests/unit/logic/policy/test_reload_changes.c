/* A reload plan in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/config/config_options.h"
#include "logic/policy/reload_changes.h"
#include "unit/config_helpers.h"

#define OLD                                                                                                            \
        "[kept]\nlisten = /1\nhandler = cat\n[more]\nlisten = /2\nhandler = cat\n[gone]\nlisten = /3\nhandler = cat\n"
#define NEW                                                                                                            \
        "[preforkd]\nlog_level = debug\n[kept]\nlisten = /1\nhandler = cat\n[more]\nlisten = /2\nhandler = dog\n"      \
        "max_workers = 9\n[fresh]\nlisten = /4\nhandler = cat\n"

static void describe(const struct reload_changes *changes, struct text *text)
{
        for (size_t i = 0; i < changes->count; i++) {
                _cleanup_(text_clear) struct text options = {0};
                assert_int_equal(words_join(&options, &changes->pools[i].options), 0);
                assert_int_equal(text_appendf(text, "%s %s: %s\n", reload_verb_name(changes->pools[i].verb),
                                              changes->pools[i].pool, text_string(&options)),
                                 0);
        }
}

/* The words outlive both configurations. */
static void test_changes(void **state)
{
        _cleanup_(reload_changes_clear) struct reload_changes changes = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text text = {0}, master = {0};
        struct config old_config = {0}, new_config = {0};
        struct reload_plan plan = {0};

        (void)state;
        load_good(&old_config, "f", OLD);
        load_good(&new_config, "f", NEW);
        assert_int_equal(reload_diff(&old_config, &new_config, &plan, &problems), 0);
        assert_int_equal(reload_changes_of(&plan, &old_config.master, &new_config.master, &changes), 0);
        reload_plan_clear(&plan);
        config_clear(&old_config);
        config_clear(&new_config);
        describe(&changes, &text);
        assert_string_equal(text_string(&text),
                            "keep kept: \nroll more: handler max_workers\nadd fresh: \nremove gone: \n");
        assert_int_equal(words_join(&master, &changes.master_options), 0);
        assert_string_equal(text_string(&master), "log_level");
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
