#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/record_limit.h"

#define S 1000000000ULL
#define LIMIT (RECORD_LIMIT_S * S)

static void one_in_a_while(void **state)
{
        _Atomic uint64_t word = 0;
        uint32_t more = 7;

        (void)state;
        assert_true(record_limit_take(&word, 5, &more)); /* also in the first second of a machine */
        assert_int_equal(more, 0);
        for (unsigned i = 0; i < 200; i++)
                assert_false(record_limit_take(&word, 5 + i * (S / 100), &more));
        assert_true(record_limit_take(&word, LIMIT, &more));
        assert_int_equal(more, 200);
        assert_false(record_limit_take(&word, LIMIT + 1, &more));
        assert_true(record_limit_take(&word, 3 * LIMIT, &more));
        assert_int_equal(more, 1);
        assert_true(record_limit_take(&word, 9 * LIMIT, &more));
        assert_int_equal(more, 0);
}

static void garbage_is_endured(void **state)
{
        _Atomic uint64_t word = UINT64_MAX;
        uint32_t more;

        (void)state;
        assert_true(record_limit_take(&word, 100 * S, &more)); /* the last record was in the future */
        assert_int_equal(more, UINT32_MAX);
        word = 101ULL << 32 | UINT32_MAX;
        assert_false(record_limit_take(&word, 100 * S, &more));
        assert_false(record_limit_take(&word, 100 * S, &more));
        assert_int_equal(word, 101ULL << 32 | UINT32_MAX); /* the count stops, and the time is untouched */
}

static void the_text(void **state)
{
        char text[RECORD_LIMIT_TEXT_MAX];

        (void)state;
        assert_string_equal(record_limit_text(0, text), "");
        assert_string_equal(record_limit_text(1, text), "; and 1 more since the last such record");
        assert_string_equal(record_limit_text(UINT32_MAX, text), "; and 4294967295 more since the last such record");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_in_a_while),
                cmocka_unit_test(garbage_is_endured),
                cmocka_unit_test(the_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
