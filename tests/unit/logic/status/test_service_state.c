#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/status/service_state.h"

static void test_readiness(void **state)
{
        const struct service_pool serves = {.workers = 2, .able = 1, .starting = 1, .started = true},
                                  starts = {.workers = 1, .starting = 1, .started = true}, new = {.name = "n"},
                                  watches = {.started = true}, fails = {.started = true, .failures = 3},
                                  waits = {.is_deaf = true},
                                  limps = {.started = true, .able = 1, .failures = 3, .backing_off = true};

        (void)state;
        assert_int_equal(service_readiness_of((const struct service_pool[]){serves, watches, fails}, 3), SERVICE_READY);
        assert_int_equal(service_readiness_of((const struct service_pool[]){limps}, 1), SERVICE_READY);
        assert_int_equal(service_readiness_of((const struct service_pool[]){watches}, 1), SERVICE_READY);
        assert_int_equal(service_readiness_of((const struct service_pool[]){serves, starts}, 2), SERVICE_STARTING);
        assert_int_equal(service_readiness_of((const struct service_pool[]){fails, new}, 2), SERVICE_STARTING);
        assert_int_equal(service_readiness_of((const struct service_pool[]){fails, fails}, 2), SERVICE_UNABLE);
        assert_int_equal(service_readiness_of((const struct service_pool[]){waits, serves}, 2), SERVICE_READY);
        assert_int_equal(service_readiness_of((const struct service_pool[]){waits, waits}, 2), SERVICE_READY);
        assert_int_equal(service_readiness_of((const struct service_pool[]){waits, starts}, 2), SERVICE_STARTING);
        assert_int_equal(service_readiness_of((const struct service_pool[]){waits, fails}, 2), SERVICE_UNABLE);
}

static void check_status(const struct service_pool *pools, size_t count, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(service_status_format(pools, count, &text), 0);
        assert_string_equal(text_string(&text), expected);
}

static void test_status(void **state)
{
        struct service_pool many[12];

        (void)state;
        check_status(&(const struct service_pool){.name = "a", .workers = 1, .able = 1}, 1, "1 pool, 1 worker");
        check_status(
                (const struct service_pool[]){
                        {.name = "a", .workers = 8, .able = 8, .saturated = true},
                        {.name = "b", .started = true, .failures = 1},
                        {.name = "c", .workers = 2, .starting = 2, .started = true},
                        {.name = "d", .able = 1, .closing = true},
                        {.name = "e", .started = true, .failures = 4, .starting = 1, .workers = 1}},
                5,
                "5 pools, 11 workers; a saturated; b backing off after 1 failed start; c starting; d closing; "
                "e backing off after 4 failed starts");
        /* Old workers serve while no new one can be started. */
        check_status(
                (const struct service_pool[]){
                        {.name = "a",
                         .workers = 1,
                         .able = 1,
                         .started = true,
                         .failures = 3,
                         .backing_off = true,
                         .saturated = true},
                        {.name = "b", .workers = 1, .able = 1, .started = true, .backing_off = true},
                        {.name = "c", .workers = 1, .able = 1, .started = true, .failures = 3},
                        {.name = "d", .able = 1, .failures = 1, .backing_off = true, .closing = true}},
                4, "4 pools, 3 workers; a backing off after 3 failed starts; b backing off; d closing");
        check_status(
                (const struct service_pool[]){
                        {.name = "a", .is_deaf = true, .waits_for = "192.0.2.1:80"},
                        {.name = "b", .workers = 1, .able = 1, .started = true, .waits_for = "192.0.2.1:81"},
                        {.name = "c", .is_deaf = true}},
                3, "3 pools, 1 worker; a waiting for 192.0.2.1:80; b waiting for 192.0.2.1:81; c not listening");
        for (size_t i = 0; i < ELEMENTS(many); i++)
                many[i] = (struct service_pool){.name = "x", .able = 1, .closing = true};
        check_status(many, ELEMENTS(many),
                     "12 pools, 0 workers; x closing; x closing; x closing; x closing; x closing; x closing; "
                     "x closing; x closing; and 4 more");
}

static void check_line(const char *string, size_t most, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(text_append(&text, "> "), 0);
        assert_int_equal(service_append_line(&text, string, most), 0);
        assert_string_equal(text_string(&text), expected);
}

static void test_line(void **state)
{
        (void)state;
        check_line("", 5, "> ");
        check_line("a\nREADY=1\x1b", 50, "> a?READY=1?");
        check_line("\xff\xc3\xa4", 50, "> ?\xc3\xa4");
        check_line("ab\xc3\xa4", 3, "> ab");
        check_line("ab\xc3\xa4", 4, "> ab\xc3\xa4");
        check_line("abc", 0, "> ");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_readiness),
                cmocka_unit_test(test_status),
                cmocka_unit_test(test_line),
        };

        return cmocka_run_group_tests_name("service_state", tests, NULL, NULL);
}
