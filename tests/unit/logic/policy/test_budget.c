/* The budget that pools share, as traces.
 *
 * A line: what is true of the rows from here on, and behind the arrow what each pool may do (+N: take so many places,
 * -N: give so many back, !: one in any case) and which one is looked at next. Words of a row: used N, ending N (at the
 * time of the line), idle N, keeps N, unit N, wants N TIME (since when), must N TIME (of these), static, vain N, asked,
 * any (was asked for one in any case), quiet (was not asked, wants nothing), gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/policy/budget.h"
#include "logic/policy/waiting.h"

#define ROWS 8

struct world {
        struct budget budget;
        struct budget_row rows[ROWS];
        bool there[ROWS];
        uint64_t now_ms;
};

static unsigned next_number(char **words)
{
        uint64_t number = 0;

        if (number_parse(strsep(words, " "), &number) < 0)
                fail_msg("a number is missing before '%s'", *words);
        return (unsigned)number;
}

static uint64_t next_time(char **words)
{
        uint64_t ms = 0;

        if (number_parse_duration_ms(strsep(words, " "), &ms) < 0)
                fail_msg("a time is missing before '%s'", *words);
        return ms;
}

static struct budget_row *row_of(struct world *w, char name)
{
        struct budget_row *row = &w->rows[name - 'a'];

        assert_true(name >= 'a' && name < 'a' + ROWS);
        if (!w->there[name - 'a']) {
                *row = (struct budget_row){.unit = 1};
                budget_add(&w->budget, row);
                w->there[name - 'a'] = true;
        }
        return row;
}

static void read_urgent(struct budget_row *row, char **words)
{
        row->urgent = next_number(words);
        row->urgent_ms = next_time(words);
}

static void read_row(struct world *w, char name, char *words)
{
        struct budget_row *row = row_of(w, name);

        for (char *word; (word = strsep(&words, " "));) {
                if (text_equal(word, "used"))
                        row->used = next_number(&words);
                else if (text_equal(word, "ending")) {
                        row->ending = next_number(&words);
                        row->ending_ms = w->now_ms;
                } else if (text_equal(word, "idle"))
                        row->idle = next_number(&words);
                else if (text_equal(word, "keeps"))
                        row->keeps = next_number(&words);
                else if (text_equal(word, "unit"))
                        row->unit = next_number(&words);
                else if (text_equal(word, "wants")) {
                        row->wants = next_number(&words);
                        row->since_ms = next_time(&words);
                } else if (text_equal(word, "must"))
                        read_urgent(row, &words);
                else if (text_equal(word, "vain"))
                        row->in_vain = next_number(&words);
                else if (text_equal(word, "static"))
                        row->gives_none = true;
                else if (text_equal(word, "asked") || text_equal(word, "any"))
                        row->asked = text_equal(word, "any") ? BUDGET_ANY : BUDGET_SPARE;
                else if (text_equal(word, "quiet")) {
                        row->wants = row->urgent = row->in_vain = 0;
                        row->asked = BUDGET_NOT_ASKED;
                } else if (text_equal(word, "gone")) {
                        budget_remove(&w->budget, row);
                        w->there[name - 'a'] = false;
                } else
                        fail_msg("'%s' means nothing to a row", word);
        }
}

static void read_facts(struct world *w, char *facts)
{
        char *words = facts;

        w->now_ms = next_time(&words);
        for (char *fact; words && (fact = strsep(&words, ";"));) {
                fact += strspn(fact, " ");
                char *name = strsep(&fact, " ");
                if (text_equal(name, "total"))
                        w->budget.total = next_number(&fact);
                else if (*name)
                        read_row(w, *name, fact);
        }
}

static void write_outcome(struct world *w, struct text *text)
{
        const struct budget_row *next = budget_next(&w->budget, w->now_ms);

        for (unsigned i = 0; i < ROWS; i++) {
                if (!w->there[i])
                        continue;
                const struct budget_grant grant = budget_grant(&w->budget, &w->rows[i], w->now_ms);
                if (grant.give > 0)
                        text_appendf(text, "%c -%u%s ", 'a' + (int)i, grant.give, grant.any ? "!" : "");
                else if (grant.places > 0)
                        text_appendf(text, "%c +%u ", 'a' + (int)i, grant.places);
        }
        if (next)
                text_appendf(text, "next %c", (int)('a' + (next - w->rows)));
        while (text->length > 0 && text->bytes[text->length - 1] == ' ')
                text->bytes[--text->length] = '\0';
}

static void play(const char *const *lines, size_t count)
{
        struct world w = {0};

        for (size_t i = 0; i < count; i++) {
                char line[400];
                _cleanup_(text_clear) struct text text = {0};
                snprintf(line, sizeof(line), "%s", lines[i]);
                if (*line == '#')
                        continue;
                char *arrow = strstr(line, "->");
                assert_non_null(arrow);
                *arrow = '\0';
                while (arrow > line && arrow[-1] == ' ')
                        *--arrow = '\0';
                read_facts(&w, line);
                write_outcome(&w, &text);
                const char *expected = strstr(lines[i], "->") + 2;
                expected += strspn(expected, " ");
                if (!text_equal(text_string(&text), expected))
                        fail_msg("%s\n  gives: %s", lines[i], text_string(&text));
        }
}

#define PLAY(...)                                                                                                      \
        do {                                                                                                           \
                static const char *const lines[] = {__VA_ARGS__};                                                      \
                play(lines, ELEMENTS(lines));                                                                          \
        } while (0)

/* clang-format off */
static void there_is_room(void **state)
{
        (void)state;
        PLAY("1s total 10; a used 3; b used 2 -> a +5 b +5",
             "# What waits comes before what nobody waits for.",
             "2s b wants 2 1s -> a +3 b +5 next b",
             "3s b used 4 quiet -> a +3 b +3",
             "4s b gone -> a +7");
}

static void the_longest_wait_comes_first(void **state)
{
        (void)state;
        PLAY("9s total 4; a used 2 wants 2 3s; b used 2 wants 1 2s -> ",
             "# One has ended.",
             "10s a used 1 -> b +1 next b",
             "11s b used 3 quiet; a used 0 -> a +1 b -1 next a",
             "# As long: the first row.",
             "12s a used 1 wants 1 5s; b used 2 wants 1 5s -> a +1 next a",
             "# Who can use nothing of it keeps nobody waiting.",
             "13s a vain 1 -> a +1 b +1 next b",
             "# Until there is more.",
             "14s b used 1 -> a +2 b +1 next a");
}

static void one_without_a_worker_comes_before(void **state)
{
        (void)state;
        PLAY("9s total 4; a used 3 wants 3 1s; b wants 3 8s must 1 8s -> b +1 next b",
             "10s b used 1 wants 2 8s must 0 0 -> ",
             "11s a used 2 -> a +1 next a",
             "# Of two such, the one that has been without longer.",
             "11s c wants 9 1s must 1 9s; d wants 1 5s must 1 7s; a used 2 -> a -1! d +1 next d",
             "11s c quiet; d quiet -> a +1 next a",
             "# A static pool's workers, too.",
             "12s b static wants 2 8s must 2 8s -> a -1! b +1 next b");
}

static void idle_ones_are_given_back(void **state)
{
        (void)state;
        PLAY("9s total 6; a used 3 idle 3 keeps 1; b used 2 idle 1 keeps 1; c used 1 wants 1 8s -> a -1 b -1 next a",
             "# It has given one, which will soon have gone.",
             "10s a ending 1 idle 2 -> ",
             "# Had it asked in vain, another is asked.",
             "11s a ending 0 asked idle 1 -> a -1 b -1 next b",
             "# Both watch for idle ones from now on.",
             "12s b asked -> a -1 b -1",
             "# One that does not end is not waited for.",
             "13s a ending 1 quiet; b quiet -> ",
             "18s -> a -1 b -1 next a",
             "# Those that wait themselves, and static ones, are not asked.",
             "19s a ending 0 wants 1 9s; b static quiet -> ");
}

static void the_first_worker_is_given_in_any_case(void **state)
{
        (void)state;
        PLAY("# Of idle ones that it would keep.",
             "9s total 4; a used 2 idle 2 keeps 2; b used 2 keeps 0 asked; c wants 2 8s must 1 8s -> a -2! b -2 next a",
             "10s a asked -> a -2! b -2 next a",
             "11s a any -> a -2! b -2",
             "12s a ending 1 idle 1 quiet -> a -1 b -1 next a",
             "13s c wants 1 8s -> ");
        PLAY("# Of busy ones, of the pool that has most.",
             "9s total 4; a used 1 wants 1 8500ms; b used 3 wants 4 8500ms; c wants 1 8s must 1 8s -> b -1! next b",
             "# But not the last one of a pool whose connections have waited longer …",
             "10s b used 1; a used 3 -> a -1! next a",
             "11s b used 2; a used 1; d used 1; c wants 1 8s -> b -1! d -1 next d",
             "12s d static; b used 1 wants 1 7s; d used 2 -> a -1! next a",
             "13s a wants 1 7s -> ",
             "# … for ten seconds.",
             "18s -> a -1! next a",
             "# No static one.",
             "19s a static; b static -> ");
}

static void workers_with_threads(void **state)
{
        (void)state;
        PLAY("9s total 8; a used 4 unit 4 wants 4 8s; b used 2 idle 2 -> a +2 b -2 next b",
             "10s b used 0 idle 0 -> a +4 next a",
             "# The next one does not get what the first one waits for.",
             "11s b used 2; c wants 1 9s -> a +2 b -2 next b");
}

static void a_lowered_total(void **state)
{
        (void)state;
        PLAY("1s total 10; a used 6 idle 6 keeps 1; b used 4 idle 2 keeps 2; c static used 2 -> a -2 b -2 next a",
             "2s a ending 2 idle 4 -> ",
             "3s a used 4 ending 0 -> ");
}
/* clang-format on */

static void the_oldest_connection(void **state)
{
        struct waiting waiting = {0};

        (void)state;
        waiting_follow(&waiting, 1000, 2, 2, 50);
        assert_true(waiting.wants == 2 && waiting.since_ms == 1000 && waiting.begun_ms == 1000);
        waiting_follow(&waiting, 9000, 1, 2, 51); /* the first of two was accepted */
        assert_true(waiting.wants == 1 && waiting.since_ms == 1000);
        /* Both were; four in ten seconds, so the oldest of two has waited for about five. */
        waiting_follow(&waiting, 11000, 2, 2, 54);
        assert_true(waiting.since_ms == 6000 && waiting.begun_ms == 1000);
        waiting_follow(&waiting, 12000, 2, 40, 55); /* nothing is known about these but when they were not there */
        assert_true(waiting.since_ms == 6000);
        waiting_follow(&waiting, 13000, 3, 40, 56);
        assert_true(waiting.since_ms == 11000);
        waiting_follow(&waiting, 14000, 0, 0, 99);
        assert_true(waiting.wants == 0);
        waiting_follow(&waiting, 15000, 1, 1, 99);
        assert_true(waiting.since_ms == 15000 && waiting.begun_ms == 15000);
        waiting_follow(&waiting, 16000, 1, 1, 3); /* a counter that went back */
        assert_true(waiting.since_ms == 15000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(there_is_room),
                cmocka_unit_test(the_longest_wait_comes_first),
                cmocka_unit_test(one_without_a_worker_comes_before),
                cmocka_unit_test(idle_ones_are_given_back),
                cmocka_unit_test(the_first_worker_is_given_in_any_case),
                cmocka_unit_test(workers_with_threads),
                cmocka_unit_test(a_lowered_total),
                cmocka_unit_test(the_oldest_connection),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
