/* The pressure of late, from readings at any moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "logic/policy/pressure_meter.h"

struct step {
        uint64_t at_ms, stalled_ms;
        unsigned recent, expected; /* percent */
};

static void play(const struct step *steps, size_t count)
{
        struct pressure_meter meter = {0};

        for (size_t i = 0; i < count; i++) {
                const struct pressure_reading reading = {.stalled_us = steps[i].stalled_ms * 1000,
                                                         .recent = steps[i].recent * PRESSURE_ONE_PERCENT};
                pressure_meter_note(&meter, steps[i].at_ms, &reading);
                if (meter.share != steps[i].expected * PRESSURE_ONE_PERCENT)
                        fail_msg("at %llu ms: %u", (unsigned long long)steps[i].at_ms, meter.share);
        }
}

#define PLAY(...)                                                                                                      \
        do {                                                                                                           \
                static const struct step steps_[] = {__VA_ARGS__};                                                     \
                play(steps_, ELEMENTS(steps_));                                                                        \
        } while (0)

static void the_first_reading_is_the_kernels_average(void **state)
{
        (void)state;
        PLAY({100, 5000, 37, 37}, {350, 5000, 37, 0}, {600, 5250, 37, 50});
}

/* Looked at each quarter of a second: the last one or two seconds. */
static void the_last_seconds_count(void **state)
{
        (void)state;
        PLAY({1000, 0, 0, 0}, {1250, 250, 0, 100}, {1500, 500, 0, 100}, {1750, 750, 0, 100}, {2000, 1000, 0, 100},
             {3000, 1000, 0, 50}, {4000, 1000, 0, 0}, {4250, 1000, 0, 0}, {5000, 2000, 0, 50}, {6000, 3000, 0, 100});
}

static void what_is_long_ago_does_not(void **state)
{
        (void)state;
        /* Ten seconds at most: then the kernel knows it better. */
        PLAY({1000, 0, 0, 0}, {11000, 5000, 7, 50}, {11250, 5250, 7, 100}, {30000, 5250, 12, 12},
             {30500, 5500, 12, 50});
        /* After a while without a look, the next ones are about what is now. */
        PLAY({1000, 0, 0, 0}, {6000, 5000, 0, 100}, {6250, 5000, 0, 0});
}

/* Another control group, or a clock that stands still: nothing can be compared. */
static void what_cannot_be(void **state)
{
        (void)state;
        PLAY({1000, 5000, 3, 3}, {1250, 4000, 8, 8}, {1500, 4250, 8, 100}, {1500, 4250, 8, 100});
        PLAY({1000, 5000, 3, 3}, {1000, 6000, 9, 9});
        PLAY({2000, 5000, 3, 3}, {1000, 6000, 9, 9}, {1500, 6250, 9, 50});
        /* More than the time that has passed: of another clock. */
        PLAY({1000, 0, 0, 0}, {1250, 100000, 0, 100});
}

static void due(void **state)
{
        struct pressure_meter meter = {0};
        const struct pressure_reading reading = {0};

        (void)state;
        assert_true(pressure_meter_is_due(&meter, 0));
        pressure_meter_note(&meter, 0, &reading);
        assert_false(pressure_meter_is_due(&meter, 5));
        pressure_meter_note(&meter, 1000, &reading);
        assert_false(pressure_meter_is_due(&meter, 1000 + PRESSURE_LOOK_MS - 1));
        assert_true(pressure_meter_is_due(&meter, 1000 + PRESSURE_LOOK_MS));
        assert_true(pressure_meter_is_due(&meter, 999));
}

/* Whatever comes, and whenever. */
static void never_more_than_all(void **state)
{
        struct pressure_meter meter = {0};
        uint64_t now_ms = 0;

        (void)state;
        srandom(13);
        for (unsigned i = 0; i < 100000; i++) {
                const struct pressure_reading reading = {.stalled_us = random() % 4 ? (uint64_t)random()
                                                                                    : UINT64_MAX - (uint64_t)random(),
                                                         .recent = (unsigned)random()};
                now_ms += random() % 8 ? (uint64_t)random() % 3000 : 0;
                if (i % 1000 == 0)
                        now_ms = UINT64_MAX - (uint64_t)random();
                pressure_meter_note(&meter, now_ms, &reading);
                assert_true(meter.share <= PRESSURE_ALL && meter.at_ms > 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_first_reading_is_the_kernels_average),
                cmocka_unit_test(the_last_seconds_count),
                cmocka_unit_test(what_is_long_ago_does_not),
                cmocka_unit_test(what_cannot_be),
                cmocka_unit_test(due),
                cmocka_unit_test(never_more_than_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
