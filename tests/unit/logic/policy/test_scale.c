/* The scaling policy as traces: a pool's numbers over time, and what the policy says to them.
 *
 * The language, a line a string:
 *     limits dynamic min 2 max 8 start 4 limit 16 timeout 10s     what the configuration says, from here on
 *     10s idle 9 busy 1 starting 0 queued 0 water 9 held new -> …  at 10 s: the numbers (0 if not said; water: the idle
 *                                 count), held: may_fork is false, new: the pool's first decision
 *     # …                         a remark
 * With adaptive scaling, the advice: spare N surplus N level N since TIME allowed TIME next WHEN until WHEN look TIME,
 * bound.
 * Behind the arrow stands the whole decision: start N (REASON), retire N (REASON), timer WHEN, reset, saturated,
 * relieved, watch, low N, high N; what is not said is not done, no `low`: 0, no `high`: never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/policy/scale.h"

static uint64_t read_time(const char *word)
{
        uint64_t ms = 0;

        assert_non_null(word);
        if (number_parse_duration_ms(word, &ms) < 0)
                fail_msg("'%s' is no time", word);
        return ms;
}

static unsigned read_count(const char *word)
{
        uint64_t count = 0;

        assert_non_null(word);
        if (number_parse(word, &count) < 0)
                fail_msg("'%s' is no number", word);
        return (unsigned)count;
}

static void read_limits(char *words, struct scale_limits *limits)
{
        static const char *const scalings[] = {[SCALING_DYNAMIC] = "dynamic",
                                               [SCALING_STATIC] = "static",
                                               [SCALING_ONDEMAND] = "ondemand",
                                               [SCALING_ADAPTIVE] = "adaptive"};

        *limits = (struct scale_limits){0};
        for (char *word; (word = strsep(&words, " "));) {
                for (size_t i = 0; i < ELEMENTS(scalings); i++)
                        if (text_equal(word, scalings[i]))
                                limits->scaling = (int)i;
                if (text_equal(word, "min"))
                        limits->min_spare = read_count(strsep(&words, " "));
                else if (text_equal(word, "max"))
                        limits->max_spare = read_count(strsep(&words, " "));
                else if (text_equal(word, "start"))
                        limits->start = read_count(strsep(&words, " "));
                else if (text_equal(word, "limit"))
                        limits->max_workers = read_count(strsep(&words, " "));
                else if (text_equal(word, "timeout"))
                        limits->spare_timeout_ms = read_time(strsep(&words, " "));
        }
}

/* False: the word is about something else. */
static bool read_advice(const char *word, char **words, struct adaptive_advice *advice)
{
        const struct {
                const char *word;
                unsigned *count;
                uint64_t *time_ms;
        } parts[] = {
                {"spare", &advice->spare, NULL},          {"surplus", &advice->surplus, NULL},
                {"level", &advice->level, NULL},          {"since", NULL, &advice->level_idle_ms},
                {"allowed", NULL, &advice->allowed_ms},   {"next", NULL, &advice->look_at_ms},
                {"until", NULL, &advice->spare_until_ms}, {"look", NULL, &advice->look_ms},
        };

        advice->by_bound |= text_equal(word, "bound");
        for (size_t i = 0; i < ELEMENTS(parts); i++) {
                if (!text_equal(word, parts[i].word))
                        continue;
                if (parts[i].count)
                        *parts[i].count = read_count(strsep(words, " "));
                else
                        *parts[i].time_ms = read_time(strsep(words, " "));
                return true;
        }
        return text_equal(word, "bound");
}

static struct scale_input read_input(char *words)
{
        struct scale_input input = {.started = true, .may_fork = true, .low_water = UINT32_MAX};
        unsigned busy = 0;

        input.now_ms = read_time(strsep(&words, " "));
        for (char *word; (word = strsep(&words, " "));) {
                if (text_equal(word, "held"))
                        input.may_fork = false;
                else if (text_equal(word, "new"))
                        input.started = false;
                else if (text_equal(word, "idle"))
                        input.idle = read_count(strsep(&words, " "));
                else if (text_equal(word, "starting"))
                        input.starting = read_count(strsep(&words, " "));
                else if (text_equal(word, "busy"))
                        busy = read_count(strsep(&words, " "));
                else if (text_equal(word, "queued"))
                        input.queued = read_count(strsep(&words, " "));
                else if (text_equal(word, "water"))
                        input.low_water = read_count(strsep(&words, " "));
                else if (!read_advice(word, &words, &input.advice) && *word != '\0')
                        fail_msg("'%s' means nothing", word);
        }
        input.total = input.idle + input.starting + busy;
        input.low_water = MIN_OF(input.low_water, input.idle);
        return input;
}

static void write_decision(const struct scale_decision *d, struct text *text)
{
        if (d->start > 0)
                text_appendf(text, " start %u (%s)", d->start, d->reason);
        if (d->retire > 0)
                text_appendf(text, " retire %u (%s)", d->retire, d->reason);
        if (d->shrink_at_ms > 0) {
                text_append(text, " timer ");
                number_format_duration_ms(text, d->shrink_at_ms);
        }
        text_append(text, d->reset_low_water ? " reset" : "");
        text_append(text, d->saturation_begins ? " saturated" : "");
        text_append(text, d->saturation_ends ? " relieved" : "");
        text_append(text, d->watch_listeners ? " watch" : "");
        if (d->low_below > 0)
                text_appendf(text, " low %u", d->low_below);
        if (d->high_above != UINT32_MAX)
                text_appendf(text, " high %u", d->high_above);
        assert_int_equal(d->reason[0] != '\0', d->start + d->retire > 0);
}

static void play(const char *const *lines, size_t count)
{
        struct scale_limits limits = {0};
        struct scale_state state = {0};

        for (size_t i = 0; i < count; i++) {
                _cleanup_(text_clear) struct text said = {0}, line = {0};
                assert_int_equal(text_append(&line, lines[i]), 0);
                char *arrow = strstr(line.bytes, " ->");
                if (text_starts_with(line.bytes, "limits "))
                        read_limits(line.bytes, &limits);
                if (!arrow)
                        continue;
                *arrow = '\0';
                const struct scale_input input = read_input(line.bytes);
                const struct scale_decision decision = scale_policy_decide(&limits, &input, &state);
                write_decision(&decision, &said);
                if (!text_equal(text_string(&said), arrow + strlen(" ->")))
                        fail_msg("%s\n  the policy says:%s", lines[i], text_string(&said));
        }
}

#define PLAY(...)                                                                                                      \
        do {                                                                                                           \
                static const char *const lines_[] = {__VA_ARGS__};                                                     \
                play(lines_, ELEMENTS(lines_));                                                                        \
        } while (0)

/* clang-format off */
/* Traces: a step a line. */

static void dynamic_grows_at_once(void **state)
{
        (void)state;
        PLAY("limits dynamic min 2 max 8 start 4 limit 16 timeout 10s",
             "1s new -> start 4 (start) high 8",
             "# Starting workers count as spare: nothing more, and nobody need wake us but they.",
             "1s starting 4 -> high 8",
             "2s starting 1 idle 3 -> low 1 high 8",
             "2s idle 4 -> low 2 high 8",
             "3s idle 2 busy 2 -> low 2 high 8",
             "4s idle 1 busy 3 -> start 1 (spare 1 < 2) low 1 high 8",
             "4s idle 1 busy 3 starting 1 -> low 1 high 8",
             "# A burst: all that wait get a worker, and two are spare again.",
             "5s busy 5 queued 4 -> start 6 (spare 0 < 2, 4 queued) high 8",
             "# Workers enough, but they do not suffice for the queue.",
             "6s idle 2 busy 5 queued 3 -> start 3 (3 queued, spare 2) high 8",
             "# Idle ones are just being woken.",
             "7s idle 5 busy 5 queued 3 -> low 2 high 8");
        PLAY("limits dynamic min 2 max 8 start 4 limit 16 timeout 10s",
             "# A queue that is there before us counts for more than start_workers.",
             "1s new queued 7 -> start 9 (spare 0 < 2, 7 queued) high 8");
}

static void nothing_starts_while_it_may_not(void **state)
{
        (void)state;
        PLAY("limits dynamic min 2 max 8 start 4 limit 16 timeout 10s",
             "1s new held -> high 8",
             "2s busy 3 queued 9 held -> high 8",
             "3s idle 1 busy 2 held -> high 8",
             "4s idle 1 busy 2 -> start 1 (spare 1 < 2) low 1 high 8",
             "limits static limit 4",
             "5s held ->",
             "6s busy 4 queued 3 held ->");
}

static void saturation_is_said_once(void **state)
{
        (void)state;
        PLAY("limits dynamic min 2 max 4 start 2 limit 8 timeout 10s",
             "1s idle 1 busy 6 -> start 1 (spare 1 < 2) low 1 high 4",
             "# Two are missing, one fits: the limit is reached. Nothing more to learn from busy workers; the timer",
             "# looks whether it is over.",
             "2s busy 7 -> start 1 (spare 0 < 2) timer 12s saturated high 4",
             "3s busy 8 queued 5 -> timer 13s high 4",
             "4s idle 1 busy 7 -> timer 14s high 4",
             "# A worker that ended and is replaced is no end of the episode.",
             "5s busy 7 queued 5 -> start 1 (spare 0 < 2, 5 queued) timer 15s high 4",
             "# Workers to spare, at this moment. Once more after a second: one of them was missed meanwhile.",
             "6s idle 3 busy 5 -> timer 7s reset",
             "6500ms idle 2 busy 6 water 1 -> timer 7s",
             "7s idle 3 busy 5 water 1 -> timer 8s reset",
             "# Missed when the master looked.",
             "7500ms idle 1 busy 7 water 1 -> timer 17500ms high 4",
             "9s idle 3 busy 5 water 1 -> timer 10s reset",
             "10s idle 3 busy 5 water 2 -> relieved low 2 high 4",
             "11s idle 1 busy 7 -> timer 21s saturated high 4",
             "# The limit was raised.",
             "limits dynamic min 2 max 4 start 2 limit 12 timeout 10s",
             "12s idle 1 busy 7 -> start 1 (spare 1 < 2) relieved low 1 high 4");
        PLAY("# A big pool does not let every request's end wake it: a quarter of it must be idle.",
             "limits dynamic min 1 max 8 start 1 limit 64 timeout 10s",
             "1s busy 64 queued 9 -> timer 11s saturated high 16",
             "2s idle 17 busy 47 -> timer 3s reset",
             "# A surplus begins to count when the episode is over.",
             "3s idle 17 busy 47 -> timer 13s reset relieved low 1");
}

static void a_surplus_must_last(void **state)
{
        (void)state;
        PLAY("limits dynamic min 1 max 8 start 1 limit 64 timeout 10s",
             "1s idle 9 busy 3 -> timer 11s reset low 1",
             "# Asked in between: the timer runs on.",
             "5s idle 12 water 9 -> timer 11s low 1",
             "# Only nine were idle all the time.",
             "11s idle 12 water 9 -> retire 1 (idle 9 > 8 for 10s) timer 21s reset low 1",
             "21s idle 11 -> retire 3 (idle 11 > 8 for 10s) low 1 high 8",
             "22s idle 8 -> low 1 high 8");
        PLAY("limits dynamic min 1 max 8 start 1 limit 64 timeout 10s",
             "1s idle 12 -> timer 11s reset low 1",
             "# All of them were needed once.",
             "11s idle 12 water 0 -> timer 21s reset low 1",
             "# The surplus is gone, and the timer with it.",
             "15s idle 3 busy 9 -> low 1 high 8",
             "16s idle 12 water 3 -> timer 26s reset low 1",
             "# A worker died: the low-water mark does not know.",
             "26s idle 9 busy 2 water 10 -> retire 1 (idle 9 > 8 for 10s) low 1 high 8");
}

static void growth_puts_shrinking_off(void **state)
{
        (void)state;
        PLAY("limits dynamic min 1 max 8 start 1 limit 64 timeout 10s",
             "1s idle 10 -> timer 11s reset low 1",
             "9s idle 10 queued 12 -> start 3 (12 queued, spare 10) timer 19s reset",
             "11s idle 13 -> timer 19s low 1",
             "# Even when it is due: workers that are idle beside a queue are no surplus.",
             "19s idle 13 queued 13 -> start 1 (13 queued, spare 13) timer 29s reset");
}

static void no_spare_timeout(void **state)
{
        (void)state;
        PLAY("limits dynamic min 1 max 3 start 1 limit 64 timeout 0",
             "1s idle 9 busy 1 -> retire 6 (idle 9 > 3) low 1 high 3",
             "2s idle 3 busy 1 -> low 1 high 3",
             "# Beside a queue it waits a little, however.",
             "3s idle 9 queued 9 held -> timer 4s reset",
             "4s idle 9 -> retire 6 (idle 9 > 3) low 1 high 3",
             "# Some of the queue's workers are above max_spare: those stay.",
             "5s idle 9 queued 4 -> retire 4 (idle 9 > 3) timer 6s reset low 1");
        PLAY("limits dynamic min 1 max 3 start 1 limit 64 timeout 200ms",
             "1s idle 9 -> timer 1200ms reset low 1",
             "1200ms idle 9 -> retire 6 (idle 9 > 3 for 200ms) low 1 high 3");
        PLAY("# A reload that lowers spare_timeout does not wait for the old one.",
             "limits dynamic min 1 max 3 start 1 limit 64 timeout 1h",
             "1s idle 9 -> timer 3601s reset low 1",
             "limits dynamic min 1 max 3 start 1 limit 64 timeout 10s",
             "2s idle 9 -> timer 12s low 1");
}

static void a_lowered_limit_holds_at_once(void **state)
{
        (void)state;
        PLAY("limits dynamic min 2 max 4 start 2 limit 8 timeout 10s",
             "# The spare ones stay, and whoever becomes idle above them goes.",
             "1s idle 4 busy 8 -> retire 2 (total 12 > 8) low 2 high 2",
             "2s idle 3 busy 7 -> retire 1 (total 10 > 8) low 2 high 2",
             "3s idle 3 busy 6 -> retire 1 (total 9 > 8) low 2 high 4",
             "# TTOU: below what the spares were fitted to.",
             "limits dynamic min 2 max 4 start 2 limit 1 timeout 10s",
             "4s idle 4 -> retire 3 (total 4 > 1) low 1 high 1",
             "5s busy 1 -> timer 15s saturated high 1",
             "limits static limit 3",
             "6s idle 2 busy 3 -> retire 2 (total 5 > 3) timer 16s high 1",
             "7s idle 2 busy 1 -> timer 8s reset",
             "8s idle 2 busy 1 -> relieved low 1");
}

static void static_is_all_at_once(void **state)
{
        (void)state;
        PLAY("limits static min 2 max 4 start 2 limit 8 timeout 10s",
             "1s new -> start 8 (static 8)",
             "2s starting 5 idle 3 ->",
             "3s idle 8 -> low 1",
             "# One died.",
             "4s idle 7 -> start 1 (static 8)",
             "# All are busy: now a waiting connection is news, and then no more.",
             "5s busy 8 -> watch",
             "6s busy 8 queued 1 -> timer 16s saturated high 4",
             "7s idle 5 busy 3 -> timer 8s reset",
             "8s idle 5 busy 3 -> relieved low 1");
}

static void ondemand_waits_for_connections(void **state)
{
        (void)state;
        PLAY("limits ondemand min 5 max 0 start 5 limit 2 timeout 10s",
             "1s new -> watch high 0",
             "2s queued 1 -> start 1 (1 queued, spare 0) high 0",
             "# It may take long to start: the listener stays readable, so it is not watched.",
             "2s starting 1 queued 1 -> high 0",
             "# Busy with the only connection: another one must wake us.",
             "3s busy 1 -> watch high 0",
             "4s busy 1 queued 3 -> start 1 (3 queued, spare 0) timer 14s saturated high 0",
             "4s idle 2 -> timer 5s reset",
             "5s idle 2 -> timer 15s reset relieved low 1",
             "9s idle 1 busy 1 water 1 -> timer 15s low 1",
             "15s idle 2 water 1 -> retire 1 (idle 1 > 0 for 10s) timer 25s reset low 1",
             "25s idle 1 -> retire 1 (idle 1 > 0 for 10s) watch high 0",
             "26s -> watch high 0");
        PLAY("limits ondemand max 2 limit 8 timeout 10s",
             "# At the limit without a queue nothing is unmet.",
             "1s busy 8 -> watch high 2",
             "2s idle 1 busy 7 -> low 1 high 2");
}

static void adaptive_follows_advice(void **state)
{
        (void)state;
        PLAY("limits adaptive min 0 max 100 limit 100",
             "# At rest there is no worker, and the first connection is waited for.", "0s -> watch high 0",
             "1s queued 2 -> start 2 (2 queued, spare 0) high 0",
             "# Levels keep them.", "2s busy 2 -> watch high 0",
             "3s idle 2 next 13s -> timer 13s low 1",
             ("13s idle 2 surplus 1 level 2 since 12400ms allowed 12s next 20s -> "
              "retire 1 (level 2 idle for 12.4 s > 12.0 s) timer 20s low 1"),
             ("20s idle 1 surplus 1 level 1 since 12100ms allowed 12s next 32s -> "
              "retire 1 (level 1 idle for 12.1 s > 12.0 s) watch high 0"),
             "# Spare ones that pay are started ahead, and looked at when they pay no more.",
             "30s busy 4 spare 2 until 90s -> start 2 (spare 0 < 2) timer 90s high 2",
             "31s busy 4 idle 2 spare 2 until 90s -> timer 90s low 2 high 2",
             "# While they start, and the starts are slow, it looks what else has come.",
             "40s busy 4 starting 2 queued 2 look 9ms -> timer 40009ms high 0",
             "41s busy 4 starting 2 queued 3 look 9ms -> start 1 (3 queued, spare 2) timer 41009ms high 0",
             "# More than max_spare_workers go earlier.",
             "limits adaptive min 0 max 4 limit 100 timeout 10s",
             "50s busy 1 idle 9 surplus 5 bound next 59s -> retire 5 (idle 9 > 4 for 10s) timer 59s low 1",
             "# They are looked for while a timer runs for a level that goes later than they would, …",
             "60s busy 9 idle 1 next 90s -> timer 90s low 1 high 4", "61s busy 1 idle 9 next 71s -> timer 71s low 1",
             "# … and only then.", "62s busy 9 idle 1 next 72s -> timer 72s low 1",
             "# So are those above a limit that was lowered.", "limits adaptive min 0 max 4 limit 6 timeout 10s",
             "63s busy 10 -> timer 72s watch high 0");
}

static void limits_of_a_pool(void **state)
{
        const struct pool_config pool = {
                .scaling = SCALING_DYNAMIC,
                .min_spare_workers = 2,
                .max_spare_workers = UINT64_MAX,
                .start_workers = 3,
                .max_workers = 64,
                .spare_timeout_ms = 10000,
        };
        struct pool_config threads = pool;
        struct scale_limits limits = scale_limits_of(&pool);

        (void)state;
        assert_int_equal(limits.scaling, SCALING_DYNAMIC);
        assert_int_equal(limits.min_spare, 2);
        assert_int_equal(limits.max_spare, 64);
        assert_int_equal(limits.start, 3);
        assert_int_equal(limits.max_workers, 64);
        assert_int_equal(limits.unit, 1);
        assert_int_equal(limits.spare_timeout_ms, 10000);
        threads.threads_per_worker = 12;
        threads.min_spare_workers = threads.start_workers = 62;
        limits = scale_limits_of(&threads);
        assert_int_equal(limits.max_workers, 60); /* what there can be */
        assert_int_equal(limits.min_spare, 60);
        assert_int_equal(limits.max_spare, 60);
        assert_int_equal(limits.start, 60);
        assert_int_equal(limits.unit, 12);
}

/* clang-format on */

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(dynamic_grows_at_once),
                cmocka_unit_test(nothing_starts_while_it_may_not),
                cmocka_unit_test(saturation_is_said_once),
                cmocka_unit_test(a_surplus_must_last),
                cmocka_unit_test(growth_puts_shrinking_off),
                cmocka_unit_test(no_spare_timeout),
                cmocka_unit_test(a_lowered_limit_holds_at_once),
                cmocka_unit_test(static_is_all_at_once),
                cmocka_unit_test(ondemand_waits_for_connections),
                cmocka_unit_test(adaptive_follows_advice),
                cmocka_unit_test(limits_of_a_pool),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
