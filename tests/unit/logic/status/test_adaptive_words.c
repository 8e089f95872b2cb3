/* What adaptive scaling goes by, in words: as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/status/adaptive_words.h"
#include "logic/status/status.h"

static void test_words(void **state)
{
        static const struct {
                uint64_t level, idle_ms, spare;
                unsigned min_spare;
                uint64_t cpu_us, duration_us, bytes, worth_ms, wait_ms;
                const char *expected;
        } rows[] = {
                {30, 3200, 0, 0, 19700, 1100, 8 << 20, 10240, 0,
                 "level 30 has been idle for 3.2s of 42s; a start is worth 10s of an idle worker "
                 "(20.0ms / 2 processors x 8.0G / 8.0M); no spare ones, because nobody notices the 1.1ms of a start"},
                {30, 0, 2, 0, 19700, 150000, 1, 3600000, 3100,
                 "level 30 is busy, and keeps its worker for 42s after that; a start is worth 1h 00m of an idle worker "
                 "(20.0ms / 2 processors x 8.0G / 32K, an hour at most); 2 spare, because a client's wait of "
                 "150ms for a start is worth 3.1s"},
                {0, 7, 0, 0, 20, 150000, 64 << 20, 1000, 3100,
                 "no level of demand keeps a worker; a start is worth 1.0s of an idle worker "
                 "(320us / 2 processors x 8.0G / 64M, a second at least); no spare ones, because too few clients "
                 "waited 150ms for a start, at 3.1s each"},
                {5, 0, 1, 0, 19700, 1100, 8 << 20, 10240, 0,
                 "level 5 is busy, and keeps its worker for 42s after that; a start is worth 10s of an idle worker "
                 "(20.0ms / 2 "
                 "processors x 8.0G / 8.0M); 1 spare, because clients waited for starts that took longer than "
                 "1.1ms"},
                {1, 1, 3, 3, 0, 0, 0, 2000, 0,
                 "level 1 has been idle for 1ms of 42s; a start is worth 2.0s of an idle worker; 3 spare by "
                 "min_spare_workers"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_(text_clear) struct text text = {0};
                const struct status_pool pool = {
                        .limits = {.scaling = SCALING_ADAPTIVE, .min_spare = rows[i].min_spare},
                        .adaptive = {.level = rows[i].level,
                                     .off_delay_ms = 42000,
                                     .idle_ms = rows[i].idle_ms,
                                     .spare = rows[i].spare},
                        .starts = {.cpu_us = rows[i].cpu_us,
                                   .duration_us = rows[i].duration_us,
                                   .worker_bytes = rows[i].bytes,
                                   .worth_ms = rows[i].worth_ms,
                                   .wait_ms = rows[i].wait_ms}};
                assert_int_equal(adaptive_words_append(&pool, UINT64_C(8) << 30, 2, &text), 0);
                assert_string_equal(text_string(&text), rows[i].expected);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests_name("adaptive_words", tests, NULL, NULL);
}
