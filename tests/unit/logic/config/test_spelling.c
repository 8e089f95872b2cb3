/* Spelling: distances, and when a suggestion is worth making. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "logic/config/spelling.h"

static void test_distances(void **state)
{
        (void)state;
        static const struct {
                const char *a, *b;
                unsigned distance;
        } cases[] = {
                {"", "", 0},
                {"", "abc", 3},
                {"same", "same", 0},
                {"kitten", "sitting", 3},
                {"ab", "ba", 1},
                {"lsiten", "listen", 1},
                {"ca", "abc", 3},
                {"max_worker", "max_workers", 1},
                {"abcdef", "badcfe", 3},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(spelling_distance(cases[i].a, cases[i].b), cases[i].distance);
                assert_int_equal(spelling_distance(cases[i].b, cases[i].a), cases[i].distance);
        }
}

static void test_long_words_are_far(void **state)
{
        (void)state;
        char longest[65];

        memset(longest, 'x', 64);
        longest[64] = longest[63] = '\0';
        assert_int_equal(spelling_distance(longest, longest), 0);
        longest[63] = 'x';
        assert_int_equal(spelling_distance(longest, longest), UINT_MAX);
}

static const char *suggest(const char *word)
{
        static const char *const known[] = {
                "listen",           "nice", "user", "umask", "max_workers", "max_requests", "min_spare_workers",
                "max_spare_workers"};
        struct spelling spelling = {.word = word};

        for (size_t i = 0; i < ELEMENTS(known); i++)
                spelling_offer(&spelling, known[i]);
        return spelling.best;
}

static void test_suggests_the_nearest(void **state)
{
        (void)state;
        assert_string_equal(suggest("max_worker"), "max_workers");
        assert_string_equal(suggest("max-workers"), "max_workers");
        assert_string_equal(suggest("maxworkers"), "max_workers");
        assert_string_equal(suggest("mni_spare_wrokers"), "min_spare_workers");
        assert_string_equal(suggest("lisen"), "listen");
        assert_string_equal(suggest("usr"), "user");
}

static void test_suggests_nothing_far_fetched(void **state)
{
        (void)state;
        assert_null(suggest("ice_cream"));
        assert_null(suggest("x"));
        assert_null(suggest(""));
        assert_null(suggest("quux"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_distances),
                cmocka_unit_test(test_long_words_are_far),
                cmocka_unit_test(test_suggests_the_nearest),
                cmocka_unit_test(test_suggests_nothing_far_fetched),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
