/* The history of a pool, of documents of this master, of an older one, and of nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "document/history_document.h"
#include "logic/status/history.h"

static size_t count_of(const char *pool, struct history_row **ret)
{
        json_t *document = json_loads(pool, 0, NULL);
        size_t count;

        assert_non_null(document);
        assert_int_equal(history_document_read(document, ret, &count), 0);
        json_decref(document);
        return count;
}

static void test_columns(void **state)
{
        _cleanup_(freep) struct history_row *rows = NULL;

        (void)state;
        assert_int_equal(count_of("{\"history\": {\"age_ms\": [5000, 0], \"for_ms\": [7000, 5000], \"busy\": [1, 2.5], "
                                  "\"idle\": [3], \"queue\": [0, 4], \"later\": [1, 2]}}",
                                  &rows),
                         2);
        assert_true(rows[0].column[HISTORY_AGE_MS] == 5000 && rows[1].column[HISTORY_FOR_MS] == 5000);
        assert_true(rows[0].column[HISTORY_BUSY] == 1 && rows[1].column[HISTORY_BUSY] == 2.5);
        assert_true(rows[0].column[HISTORY_IDLE] == 3 && rows[1].column[HISTORY_IDLE] == 0);
        assert_true(rows[1].column[HISTORY_QUEUE] == 4 && rows[1].column[HISTORY_REQUESTS] == 0);
}

static void test_there_is_none(void **state)
{
        static const char *const pools[] = {"{}",
                                            "[]",
                                            "{\"history\": null}",
                                            "{\"history\": []}",
                                            "{\"history\": {\"age_ms\": 3, \"for_ms\": \"long\"}}",
                                            "{\"history\": {\"busy\": [1, 2], \"age_ms\": [1]}}"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(pools); i++) {
                struct history_row *rows = NULL;
                assert_int_equal(count_of(pools[i], &rows), 0);
                free(rows);
        }
}

static void test_nonsense(void **state)
{
        _cleanup_(freep) struct history_row *rows = NULL;

        (void)state;
        assert_int_equal(
                count_of("{\"history\": {\"age_ms\": [\"x\", -1], \"for_ms\": [[], 1e300, 3], \"busy\": [-7]}}", &rows),
                2);
        assert_true(rows[0].column[HISTORY_AGE_MS] == 0 && rows[1].column[HISTORY_AGE_MS] == 0);
        assert_true(rows[0].column[HISTORY_BUSY] == 0 && rows[1].column[HISTORY_FOR_MS] == 1e15);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_columns),
                cmocka_unit_test(test_there_is_none),
                cmocka_unit_test(test_nonsense),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
