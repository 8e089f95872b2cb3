/* The last minutes of a pool, without a tick to look by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "logic/status/history.h"

#define MS_NS UINT64_C(1000000)

static struct history_row rows[HISTORY_INTERVALS + 1];

static size_t read_at(const struct history *history, uint64_t now_ms, uint64_t busy_ms, uint64_t requests)
{
        const struct history_counted counted = {.busy_ns = busy_ms * MS_NS, .requests = requests};

        return history_read(history, now_ms, &counted, rows);
}

static void note_at(struct history *history, uint64_t now_ms, uint64_t busy_ms, uint64_t requests)
{
        const struct history_counted counted = {.busy_ns = busy_ms * MS_NS, .requests = requests};

        history_note(history, now_ms, &counted);
}

static void see_at(struct history *history, uint64_t now_ms, unsigned starting, unsigned total)
{
        const struct history_seen seen = {.starting = starting, .total = total};

        history_see(history, now_ms, &seen);
}

static void check(const struct history_row *row, enum history_column column, double expected)
{
        assert_true(row->column[column] > expected - 0.0051 && row->column[column] < expected + 0.0051);
}

static void check_workers(const struct history_row *row, double busy, double idle, double starting)
{
        check(row, HISTORY_BUSY, busy);
        check(row, HISTORY_IDLE, idle);
        check(row, HISTORY_STARTING, starting);
}

static void test_at_first_nothing_is_known(void **state)
{
        struct history history = {0};

        (void)state;
        assert_int_equal(read_at(&history, 1000, 0, 0), 0);
        assert_true(history_is_due(&history, 1000));
        note_at(&history, 1000, 0, 0);
        assert_int_equal(read_at(&history, 1000, 0, 0), 0);
        assert_false(history_is_due(&history, 5999));
        assert_true(history_is_due(&history, 6000));
}

/* A pool that was there before its history was: what it had counted is not of the first interval. */
static void test_it_begins_with_what_was_counted(void **state)
{
        struct history history = {0};

        (void)state;
        note_at(&history, 1000, 7000, 70);
        see_at(&history, 1000, 0, 2);
        assert_int_equal(read_at(&history, 3000, 9000, 75), 1);
        check_workers(&rows[0], 1, 1, 0);
        check(&rows[0], HISTORY_REQUESTS, 5);
}

/* Two workers start for a second and serve; nobody looks while they are busy for half of the time. */
static void test_all_time_counts(void **state)
{
        struct history history = {0};

        (void)state;
        note_at(&history, 1000, 0, 0);
        see_at(&history, 1000, 2, 2);
        see_at(&history, 2000, 0, 2);
        assert_int_equal(read_at(&history, 11000, 9000, 90), 1);
        check(&rows[0], HISTORY_AGE_MS, 0);
        check(&rows[0], HISTORY_FOR_MS, 10000);
        check_workers(&rows[0], 0.9, 0.9, 0.2);
        note_at(&history, 11000, 9000, 90);
        see_at(&history, 11000, 0, 1);
        assert_int_equal(read_at(&history, 13000, 11000, 91), 2);
        check(&rows[0], HISTORY_AGE_MS, 2000);
        check_workers(&rows[0], 0.9, 0.9, 0.2);
        check(&rows[0], HISTORY_REQUESTS, 90);
        check(&rows[1], HISTORY_FOR_MS, 2000);
        check_workers(&rows[1], 1, 0, 0);
        check(&rows[1], HISTORY_REQUESTS, 1);
}

/* Turns that come too early change no interval, but what they see counts. */
static void test_early_turns(void **state)
{
        struct history history = {0};

        (void)state;
        note_at(&history, 1000, 0, 0);
        for (uint64_t ms = 1000; ms < 6000; ms += 10) {
                note_at(&history, ms, 0, ms);
                see_at(&history, ms, 0, ms < 3500 ? 8 : 0);
        }
        note_at(&history, 6000, 0, 6000);
        see_at(&history, 6000, 0, 1);
        assert_int_equal(read_at(&history, 6000, 0, 6000), 1);
        check_workers(&rows[0], 0, 4, 0);
}

/* An idle pool has one interval, however long it was idle. */
static void test_a_long_sleep(void **state)
{
        struct history history = {0};
        uint64_t day_ms = UINT64_C(86400) * 1000 * 100;

        (void)state;
        note_at(&history, 1000, 0, 0);
        see_at(&history, 1000, 0, 3);
        note_at(&history, 1000 + day_ms, day_ms / 2, 5);
        assert_int_equal(read_at(&history, 2000 + day_ms, day_ms / 2, 5), 2);
        check(&rows[0], HISTORY_FOR_MS, (double)day_ms);
        check_workers(&rows[0], 0.5, 2.5, 0);
        check_workers(&rows[1], 0, 3, 0);
}

/* Detached workers are busy, too, and not in the total; a worker that was killed takes the time of its request along;
 * a clock that stands still is no harm. */
static void test_what_does_not_add_up(void **state)
{
        struct history history = {0};

        (void)state;
        note_at(&history, 1000, 1000, 10);
        see_at(&history, 1000, 0, 2);
        read_at(&history, 2000, 6000, 11);
        check_workers(&rows[0], 5, 0, 0);
        read_at(&history, 2000, 500, 9);
        check_workers(&rows[0], 0, 2, 0);
        check(&rows[0], HISTORY_REQUESTS, 0);
        see_at(&history, 900, 0, 2);
        assert_int_equal(read_at(&history, 1000, 6000, 11), 0);
        read_at(&history, 2000, UINT64_MAX / MS_NS, UINT64_MAX);
        assert_true(rows[0].column[HISTORY_BUSY] > 1e7 && rows[0].column[HISTORY_REQUESTS] == UINT32_MAX);
}

/* The oldest give way; what is left covers ten minutes, without a gap, and no request is lost or counted twice. */
static void test_a_full_ring(void **state)
{
        struct history history = {0};
        uint64_t now_ms = 1000;

        (void)state;
        note_at(&history, now_ms, 0, 0);
        see_at(&history, now_ms, 0, 4);
        for (uint64_t i = 1; i <= 3 * HISTORY_INTERVALS + 7; i++) {
                now_ms += HISTORY_PAUSE_MS + i % 3;
                note_at(&history, now_ms, i * HISTORY_PAUSE_MS, i);
        }
        now_ms += 100;
        size_t count =
                read_at(&history, now_ms, (3 * HISTORY_INTERVALS + 7) * HISTORY_PAUSE_MS, 3 * HISTORY_INTERVALS + 9);
        assert_int_equal(count, HISTORY_INTERVALS + 1);
        assert_true(rows[0].column[HISTORY_AGE_MS] + rows[0].column[HISTORY_FOR_MS] >= HISTORY_WINDOW_MS);
        double requests = 0;
        for (size_t i = 0; i < count; i++) {
                requests += rows[i].column[HISTORY_REQUESTS];
                if (i + 1 < count)
                        check(&rows[i], HISTORY_AGE_MS,
                              rows[i + 1].column[HISTORY_AGE_MS] + rows[i + 1].column[HISTORY_FOR_MS]);
                if (i + 1 < count)
                        check_workers(&rows[i], 1, 3, 0);
        }
        assert_true(requests == HISTORY_INTERVALS + 2);
        check(&rows[count - 1], HISTORY_AGE_MS, 0);
        check(&rows[count - 1], HISTORY_FOR_MS, 100);
}

static void test_workers_that_say_nothing(void **state)
{
        struct history history = {0};
        const struct history_seen seen = {.unwatched = 3, .total = 3, .queue = 7};

        (void)state;
        note_at(&history, 1000, 0, 0);
        history_see(&history, 1000, &seen);
        read_at(&history, 2000, 0, 0);
        check_workers(&rows[0], 0, 0, 0);
        check(&rows[0], HISTORY_UNWATCHED, 3);
        check(&rows[0], HISTORY_QUEUE, 7);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_at_first_nothing_is_known),
                cmocka_unit_test(test_it_begins_with_what_was_counted),
                cmocka_unit_test(test_all_time_counts),
                cmocka_unit_test(test_early_turns),
                cmocka_unit_test(test_a_long_sleep),
                cmocka_unit_test(test_what_does_not_add_up),
                cmocka_unit_test(test_a_full_ring),
                cmocka_unit_test(test_workers_that_say_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
