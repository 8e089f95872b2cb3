/* The two phases of a reload, over participants that only take down what was asked of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "master/reload/participant.h"

#define COUNT 3

/* What happened, in order: "p0 p1 u0 ": a letter for the call, the number of the participant. */
static char told[256];

struct fake {
        int number;
        int error; /* what prepare() returns */
        int held;  /* prepared, and neither committed nor undone */
};

static void tell(char what, int number)
{
        size_t length = strlen(told);

        snprintf(told + length, sizeof(told) - length, "%c%d ", what, number);
}

static void check(const void *owner, const struct reload_context *context)
{
        const struct fake *fake = owner;

        (void)context;
        tell('?', fake->number);
}

static int prepare(void *owner, const struct reload_context *context)
{
        struct fake *fake = owner;

        (void)context;
        tell('p', fake->number);
        assert_int_equal(fake->held, 0);
        fake->held = fake->error == 0;
        return fake->error;
}

static void give_up(struct fake *fake, char what)
{
        tell(what, fake->number);
        assert_int_equal(fake->held, 1);
        fake->held = 0;
}

static void commit(void *owner, const struct reload_context *context)
{
        (void)context;
        give_up(owner, 'c');
}

static void undo(void *owner, const struct reload_context *context)
{
        (void)context;
        give_up(owner, 'u');
}

static const struct reload_participant whole = {
        .name = "whole", .check = check, .prepare = prepare, .commit = commit, .undo = undo};

static void list_fakes(struct reload_participants *list, struct fake fakes[COUNT])
{
        told[0] = '\0';
        for (int i = 0; i < COUNT; i++) {
                fakes[i] = (struct fake){.number = i};
                reload_participants_add(list, &whole, &fakes[i]);
        }
}

static void test_all_prepare_before_the_first_commits(void **state)
{
        const struct reload_context context = {0};
        struct reload_participants list = {0};
        struct fake fakes[COUNT];

        (void)state;
        list_fakes(&list, fakes);
        assert_int_equal(reload_participants_prepare(&list, &context), 0);
        assert_string_equal(told, "p0 p1 p2 ");
        reload_participants_commit(&list, &context);
        assert_string_equal(told, "p0 p1 p2 c0 c1 c2 ");
}

static void test_a_failure_undoes_what_was_prepared_and_no_more(void **state)
{
        static const char *const expected[COUNT] = {"p0 ?1 ?2 ", "p0 p1 ?2 u0 ", "p0 p1 p2 u1 u0 "};
        const struct reload_context context = {0};

        (void)state;
        for (int failing = 0; failing < COUNT; failing++) {
                struct reload_participants list = {0};
                struct fake fakes[COUNT];
                list_fakes(&list, fakes);
                fakes[failing].error = -EMFILE - failing;
                assert_int_equal(reload_participants_prepare(&list, &context), -EMFILE - failing);
                assert_string_equal(told, expected[failing]);
                for (int i = 0; i < COUNT; i++)
                        assert_int_equal(fakes[i].held, 0);
        }
}

static void test_a_reload_can_follow_one_that_failed(void **state)
{
        const struct reload_context context = {0};
        struct reload_participants list = {0};
        struct fake fakes[COUNT];

        (void)state;
        list_fakes(&list, fakes);
        fakes[2].error = -ENOMEM;
        assert_int_equal(reload_participants_prepare(&list, &context), -ENOMEM);
        fakes[2].error = 0;
        assert_int_equal(reload_participants_prepare(&list, &context), 0);
        reload_participants_commit(&list, &context);
        assert_string_equal(told, "p0 p1 p2 u1 u0 p0 p1 p2 c0 c1 c2 ");
}

static void test_a_check_prepares_nothing(void **state)
{
        const struct reload_context context = {0};
        struct reload_participants list = {0};
        struct fake fakes[COUNT];

        (void)state;
        list_fakes(&list, fakes);
        fakes[1].error = -EMFILE;
        reload_participants_check(&list, &context);
        assert_string_equal(told, "?0 ?1 ?2 ");
}

/* Not everybody needs everything. */
static void test_what_is_missing_is_not_called(void **state)
{
        static const struct reload_participant nothing = {.name = "nothing"};
        const struct reload_context context = {0};
        struct reload_participants list = {0};
        struct fake fakes[COUNT];

        (void)state;
        reload_participants_add(&list, &nothing, NULL);
        list_fakes(&list, fakes);
        reload_participants_add(&list, &nothing, NULL);
        reload_participants_check(&list, &context);
        assert_int_equal(reload_participants_prepare(&list, &context), 0);
        reload_participants_commit(&list, &context);
        fakes[1].error = -EPERM;
        assert_int_equal(reload_participants_prepare(&list, &context), -EPERM);
        assert_string_equal(told, "?0 ?1 ?2 p0 p1 p2 c0 c1 c2 p0 p1 ?2 u0 ");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_prepare_before_the_first_commits),
                cmocka_unit_test(test_a_failure_undoes_what_was_prepared_and_no_more),
                cmocka_unit_test(test_a_reload_can_follow_one_that_failed),
                cmocka_unit_test(test_a_check_prepares_nothing),
                cmocka_unit_test(test_what_is_missing_is_not_called),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
