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

static void expect(const struct decision_ring *ring, size_t age, const char *text, bool of_template)
{
        const struct decision *decision = decision_ring_at(ring, age);

        assert_non_null(decision);
        assert_string_equal(decision->text, text);
        assert_int_equal(decision->of_template, of_template);
}

/* Both kinds are read in the order in which they were recorded, also at one time. */
static void templates_are_among_them(void **state)
{
        static struct decision_ring ring;

        (void)state;
        decision_ring_add_template(&ring, 1, "one");
        assert_int_equal(decision_ring_length(&ring), 1);
        expect(&ring, 0, "one", true);
        decision_ring_add(&ring, 1, "two");
        decision_ring_add(&ring, 1, "three");
        decision_ring_add_template(&ring, 1, "four");
        assert_int_equal(decision_ring_length(&ring), 4);
        expect(&ring, 0, "four", true);
        expect(&ring, 1, "three", false);
        expect(&ring, 2, "two", false);
        expect(&ring, 3, "one", true);
        assert_null(decision_ring_at(&ring, 4));
}

/* However many there are of one kind, those of the other stay. */
static void kinds_do_not_push_each_other_out(void **state)
{
        static struct decision_ring ring;
        char text[32];

        (void)state;
        decision_ring_add(&ring, 1, "scaled");
        for (unsigned i = 0; i < 10 * DECISION_RING_SIZE; i++)
                decision_ring_add_template(&ring, 2, "template %u", i);
        assert_int_equal(decision_ring_length(&ring), 1 + DECISION_RING_TEMPLATES);
        expect(&ring, 0, "template 999", true);
        expect(&ring, DECISION_RING_TEMPLATES, "scaled", false);
        for (unsigned i = 0; i < 10 * DECISION_RING_SIZE; i++)
                decision_ring_add(&ring, 3, "worker %u", i);
        assert_int_equal(decision_ring_length(&ring), DECISION_RING_SIZE + DECISION_RING_TEMPLATES);
        for (unsigned i = 0; i < DECISION_RING_TEMPLATES; i++) {
                snprintf(text, sizeof(text), "template %u", 999 - i);
                expect(&ring, DECISION_RING_SIZE + i, text, true);
        }
        expect(&ring, 0, "worker 999", false);
        assert_null(decision_ring_at(&ring, DECISION_RING_SIZE + DECISION_RING_TEMPLATES));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(empty_ring_has_nothing),
                cmocka_unit_test(newest_first_and_the_oldest_goes),
                cmocka_unit_test(long_texts_are_cut),
                cmocka_unit_test(templates_are_among_them),
                cmocka_unit_test(kinds_do_not_push_each_other_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
