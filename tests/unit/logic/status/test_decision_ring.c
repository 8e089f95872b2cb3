/* The ring of decisions: newest first, the oldest goes, texts are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "logic/status/decision_ring.h"

static void empty_ring_has_nothing(void **state)
{
        static struct decision_ring ring;

        (void)state;
        assert_int_equal(decision_ring_length(&ring), 0);
        assert_null(decision_ring_at(&ring, 0));
}

static void newest_first_and_the_oldest_goes(void **state)
{
        static struct decision_ring ring;
        char text[32];

        (void)state;
        for (unsigned i = 1; i <= 3 * DECISION_RING_SIZE + 7; i++) {
                size_t length = i < DECISION_RING_SIZE ? i : DECISION_RING_SIZE;
                decision_ring_add(&ring, i * UINT64_C(10), "+%u workers (%s)", i, "start");
                assert_int_equal(decision_ring_length(&ring), length);
                for (size_t age = 0; age < length; age++) {
                        snprintf(text, sizeof(text), "+%zu workers (start)", i - age);
                        assert_string_equal(decision_ring_at(&ring, age)->text, text);
                        assert_int_equal(decision_ring_at(&ring, age)->time_ms, (i - age) * 10);
                }
                assert_null(decision_ring_at(&ring, length));
        }
        assert_int_equal(ring.count, 3 * DECISION_RING_SIZE + 7);
}

static void long_texts_are_cut(void **state)
{
        static struct decision_ring ring;
        char text[1000];

        (void)state;
        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        decision_ring_add(&ring, 1, "%s", text);
        assert_int_equal(strlen(decision_ring_at(&ring, 0)->text), sizeof(ring.items[0].text) - 1);
        decision_ring_add(&ring, 2, "short");
        assert_string_equal(decision_ring_at(&ring, 0)->text, "short");
        assert_int_equal(strlen(decision_ring_at(&ring, 1)->text), sizeof(ring.items[0].text) - 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(empty_ring_has_nothing),
                cmocka_unit_test(newest_first_and_the_oldest_goes),
                cmocka_unit_test(long_texts_are_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
