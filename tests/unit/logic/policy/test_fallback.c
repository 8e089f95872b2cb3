/* What auto gives up, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/policy/fallback.h"

static struct pool_config chosen(int start_method, int copy)
{
        return (struct pool_config){
                .start_method = START_AUTO, .copy = COPY_AUTO, .choice = {.start_method = start_method, .copy = copy}};
}

static void test_one_method_at_a_time(void **state)
{
        const struct pool_config configured = chosen(START_SNAPSHOT, COPY_ROLLBACK);
        struct pool_config used = configured;
        struct fallback fallback = {0};

        (void)state;
        assert_false(fallback_is_any(&fallback));
        fallback_apply(&fallback, &used);
        assert_int_equal(pool_config_start_method(&used), START_SNAPSHOT);
        assert_true(fallback_start_method(&fallback, &used, 3));
        used = configured;
        fallback_apply(&fallback, &used);
        assert_int_equal(pool_config_start_method(&used), START_FORKSERVER);
        assert_int_equal(pool_config_copy(&used), COPY_ROLLBACK);
        assert_true(fallback_start_method(&fallback, &used, 4));
        used = configured;
        fallback_apply(&fallback, &used);
        assert_int_equal(pool_config_start_method(&used), START_EXEC);
        assert_false(fallback_start_method(&fallback, &used, 5));
        assert_int_equal(fallback.start_cause, 4);
        assert_true(fallback_is_any(&fallback));
}

static void test_what_is_explicit_is_kept(void **state)
{
        struct pool_config explicit_method = chosen(START_EXEC, COPY_ROLLBACK),
                           explicit_copy = chosen(START_FORKSERVER, COPY_FORK);
        struct fallback fallback = {0};

        (void)state;
        explicit_method.start_method = START_SNAPSHOT;
        assert_false(fallback_start_method(&fallback, &explicit_method, 1));
        explicit_copy.copy = COPY_ROLLBACK;
        assert_false(fallback_copy(&fallback, &explicit_copy, 1));
        assert_false(fallback_start_method(&fallback, &explicit_copy, 1)); /* it needs a handler that is loaded once */
        explicit_copy.choice.start_method = START_SNAPSHOT;
        assert_true(fallback_start_method(&fallback, &explicit_copy, 1));
}

/* A program that accepts itself has no main() before which it could be copied for a connection. */
static void test_programs_that_accept(void **state)
{
        struct pool_config used = chosen(START_SNAPSHOT, COPY_FORK);
        struct fallback fallback = {0};

        (void)state;
        used.handler_type = HANDLER_LISTENER;
        used.copy = COPY_ROLLBACK; /* without effect */
        assert_true(fallback_start_method(&fallback, &used, 3));
        fallback_apply(&fallback, &used);
        assert_int_equal(pool_config_start_method(&used), START_EXEC);
        assert_false(fallback_start_method(&fallback, &used, 4));
}

static void test_copies(void **state)
{
        const struct pool_config configured = chosen(START_SNAPSHOT, COPY_ROLLBACK);
        struct pool_config used = configured;
        struct fallback fallback = {0};

        (void)state;
        assert_true(fallback_copy(&fallback, &used, 9));
        fallback_apply(&fallback, &used);
        assert_int_equal(pool_config_copy(&used), COPY_FORK);
        assert_int_equal(pool_config_start_method(&used), START_SNAPSHOT);
        assert_false(fallback_copy(&fallback, &used, 10));
        assert_int_equal(fallback.copy_cause, 9);
}

/* A reload that changes nothing else may find that less is possible than was used. */
static void test_no_more_than_is_chosen(void **state)
{
        const struct fallback fallback = {.start_cause = 1, .start_method = START_FORKSERVER},
                              nonsense = {.start_cause = 1, .start_method = 99};
        struct pool_config used = chosen(START_EXEC, COPY_FORK);

        (void)state;
        fallback_apply(&fallback, &used);
        assert_int_equal(pool_config_start_method(&used), START_EXEC);
        used = chosen(START_SNAPSHOT, COPY_FORK);
        fallback_apply(&nonsense, &used);
        assert_int_equal(pool_config_start_method(&used), START_SNAPSHOT);
}

/* Ten within two hundred requests. */
static void test_often(void **state)
{
        struct fallback_ends ends = {0};

        (void)state;
        for (unsigned i = 1; i < 10; i++)
                assert_false(fallback_is_often(&ends, 1000 + 20 * i));
        assert_true(fallback_is_often(&ends, 1200));
        ends = (struct fallback_ends){0};
        for (unsigned i = 1; i < 1000; i++)
                assert_false(fallback_is_often(&ends, 1000 + 30 * i));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_method_at_a_time),   cmocka_unit_test(test_what_is_explicit_is_kept),
                cmocka_unit_test(test_programs_that_accept),   cmocka_unit_test(test_copies),
                cmocka_unit_test(test_no_more_than_is_chosen), cmocka_unit_test(test_often),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
