/* The text of pressure files. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/pressure.h"

static void check_reading(const char *text, unsigned recent, uint64_t stalled_us)
{
        struct pressure_reading reading = {0};

        if (pressure_parse(text, &reading) != 0)
                fail_msg("is not understood: %s", text);
        if (reading.recent != recent || reading.stalled_us != stalled_us)
                fail_msg("%u %llu: %s", reading.recent, (unsigned long long)reading.stalled_us, text);
}

static void what_the_kernel_writes(void **state)
{
        (void)state;
        check_reading("some avg10=10.31 avg60=3.78 avg300=17.66 total=15165772545\n"
                      "full avg10=7.00 avg60=0.00 avg300=0.00 total=9\n",
                      1031, 15165772545);
        /* Before Linux 5.13 the file of the processor had no second line. */
        check_reading("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", 0, 0);
        check_reading("some avg10=100.00 avg60=99.50 avg300=99.50 total=18446744073709551615\n", 10000, UINT64_MAX);
        /* Of a later one. */
        check_reading("some avg5=1.00 avg10=2.50 avg60=3.00 new=x total=7 more=8\n", 250, 7);
        check_reading("some avg10=0.07 total=7", 7, 7);
}

static void anything_else(void **state)
{
        static const struct {
                const char *text;
                int error;
        } rows[] = {
                {"", -EINVAL},
                {"some", -EINVAL},
                {"some \n", -EINVAL},
                {"full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", -EINVAL},
                {"some avg10=1.00 avg60=1.00\nfull total=5\n", -EINVAL},
                {"some total=5\nfull avg10=1.00\n", -EINVAL},
                {"some avg10=1 total=5\n", -EINVAL},
                {"some avg10=1.0 total=5\n", -EINVAL},
                {"some avg10=1.000 total=5\n", -EINVAL},
                {"some avg10=.00 total=5\n", -EINVAL},
                {"some avg10=-1.00 total=5\n", -EINVAL},
                {"some avg10= 1.00 total=5\n", -EINVAL},
                {"some avg10=nan total=5\n", -EINVAL},
                {"some avg10=1.00 total=\n", -EINVAL},
                {"some avg10=1.00 total= 5\n", -EINVAL},
                {"some avg10=1.00 total=-5\n", -EINVAL},
                {"some avg10=1.00 total=5x\n", -EINVAL},
                {"some avg10=100.01 total=5\n", -ERANGE},
                {"some avg10=99999999999999999999.00 total=5\n", -ERANGE},
                {"some avg10=1.00 total=18446744073709551616\n", -ERANGE},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct pressure_reading reading = {.stalled_us = 42, .recent = 43};
                int r = pressure_parse(rows[i].text, &reading);
                if (r != rows[i].error || reading.stalled_us != 42 || reading.recent != 43)
                        fail_msg("%d: %s", r, rows[i].text);
        }
}

static void names(void **state)
{
        (void)state;
        assert_string_equal(pressure_resource_name(PRESSURE_CPU), "cpu");
        assert_string_equal(pressure_resource_name(PRESSURE_MEMORY), "memory");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_the_kernel_writes),
                cmocka_unit_test(anything_else),
                cmocka_unit_test(names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
