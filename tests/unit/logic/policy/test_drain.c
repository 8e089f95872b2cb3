/* The policy of draining as traces: see turn_text.h for the language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "logic/policy/drain.h"
#include "logic/policy/roll.h"
#include "unit/logic/policy/turn_text.h"

static void roll_and_drain(struct turn *turn)
{
        roll_decide(turn);
        drain_decide(turn);
}

/* clang-format off */
/* Traces: a step a line. */

static void nothing_closes(void **state)
{
        (void)state;
        PLAY(drain_decide, "1s a; b busy ->");
}

static void what_waits_is_served_first(void **state)
{
        (void)state;
        PLAY(drain_decide, "pool max 4 surge 25 generation 2",
             "1s a gen 1 busy; A gen 1 1 queued 2 -> waits A at 1010ms",
             "1010ms A queued 0 -> at 1020ms",
             "# A handshake that was under way when nobody waited yet.",
             "1020ms A queued 1 -> waits A at 1030ms",
             "1030ms A queued 0 -> at 1040ms",
             "# Half-open connections cannot be told from a flood: a second at most.",
             "2020ms -> close A again",
             "2030ms ->");
        PLAY(drain_decide, "1s A settled; B queued 1; a gen 1 -> waits B; close A again at 1010ms",
             "# A queue that cannot be measured is nobody, and a second is waited for it.",
             "1010ms B unknown -> at 1020ms",
             "2s -> close B again");
}

static void help_for_a_queue_that_nobody_takes_from(void **state)
{
        (void)state;
        PLAY(drain_decide, "# Those that have it are dead.",
             "pool max 4 surge 25 generation 2",
             "1s a gen 2; A gen 1 1 queued 2 -> waits A; launch b drain at 1010ms",
             "# One that starts takes one of them only; there is room for a second, one is enough a turn.",
             "1010ms -> waits A at 1020ms",
             "2010ms -> waits A; launch c drain at 2020ms",
             "2020ms -> waits A at 2030ms",
             "2030ms A queued 0 settled; b idle; c busy -> close A; retire b (drained); retire c (drained) again",
             "2040ms ->");
        PLAY(drain_decide, "# They are busy: after a second.",
             "pool max 4 surge 25 generation 2",
             "1s a gen 1 busy; b gen 1 busy; A gen 1 1 queued 1 -> waits A at 1010ms",
             "1990ms -> waits A at 2s",
             "2s -> waits A; launch c drain at 2010ms");
        PLAY(drain_decide, "# An idle one is about to take it, one that starts as well, one that was asked to go not.",
             "pool max 4 surge 25 generation 2",
             "1s a gen 1 idle; A gen 1 1 queued 1 closing 0 -> waits A at 1010ms",
             "2s a gone; b gen 1 starting -> waits A at 2010ms",
             "3s b retiring -> waits A; launch c drain at 3010ms");
}

static void help_is_bounded(void **state)
{
        (void)state;
        PLAY(drain_decide, "# The first in any case, others within the room of a roll.",
             "pool max 2 surge 50 generation 2",
             "5s a busy; b busy; c busy; A gen 1 1 queued 9 closing 1s -> waits A; launch d drain at 5010ms",
             "6s d busy -> waits A at 6010ms",
             "7s b gone; c gone -> waits A; launch e drain at 7010ms");
        PLAY(drain_decide, "pool max 4 surge 25 generation 2 backoff 3s",
             "1s A gen 1 1 queued 1 -> waits A at 1010ms",
             "3s -> waits A; launch a drain at 3010ms");
        PLAY(drain_decide, "# A helper has what closed before it came, not what closes afterwards.",
             "pool max 4 surge 25 generation 2",
             "1s a drain gen 2 idle; A gen 1 1 queued 1; B gen 2 2 queued 1 -> waits B; waits A; "
             "launch b drain at 1010ms");
}

/* A reload has changed the handler to one for which helpers fail. */
static void what_nobody_can_serve_is_given_up(void **state)
{
        (void)state;
        PLAY(roll_and_drain, "pool max 4 surge 25 generation 2",
             "1s a gen 2; A gen 1 1 queued 2 hopeless -> close A again",
             "1010ms ->");
        PLAY(drain_decide, "# Old workers that report still can.",
             "pool max 4 surge 25 generation 2",
             "5s a gen 1 busy; A gen 1 1 queued 2 hopeless closing 1s -> waits A at 5010ms",
             "5010ms a gone -> close A again");
        PLAY(roll_and_drain, "# And one that reports nothing has had its time.",
             "pool max 4 surge 25 generation 2",
             "1s a gen 1 unwatched; b gen 2 roll idle; A gen 1 1 queued 2 hopeless -> retire a (roll); settle b; close A again",
             "1010ms ->");
}

static void a_pool_that_closes_down(void **state)
{
        (void)state;
        PLAY(drain_decide, "# It is scaled as ever, and all go at the end.",
             "pool max 4 surge 25 generation 1 closing-down",
             "1s a busy; b starting; A gen 1 1 queued 9 closing 0 -> waits A at 1010ms",
             "2s A queued 0 settled -> close A; retire a (drained); retire b (drained) again",
             "# Who comes late goes too.",
             "3s c idle -> retire c (drained)");
}

static void with_a_successor_a_queue_is_never_empty(void **state)
{
        (void)state;
        PLAY(drain_decide, "# It has drained when so many were accepted as waited when it began to close.",
             "pool max 4 surge 25 closing-down accepted 100",
             "1s a busy; A stays enough 103 queued 3 -> waits A at 1010ms",
             "1010ms A queued 7; pool accepted 102 -> waits A at 1020ms",
             "1020ms A queued 7; pool accepted 103 -> close A; retire a (drained) again");
        PLAY(drain_decide, "# Or when nobody waits, as ever.",
             "pool max 4 surge 25 closing-down accepted 100",
             "1s a busy; A stays enough 103 settled -> close A; retire a (drained) again");
}

/* One that knows nothing of us would meet an error on a listener that is shut. */
static void programs_that_report_nothing_go_first(void **state)
{
        (void)state;
        PLAY(roll_and_drain, "pool max 2 surge 50 generation 2",
             "1s a gen 1 unwatched; b gen 1 unwatched; A gen 1 1 settled -> launch c roll (generation 2, 2 of older ones left) at 1010ms",
             "1010ms c unwatched -> retire b (roll); settle c at 1020ms",
             "1020ms b gone -> launch d roll (generation 2, 1 of older ones left) at 1030ms",
             "1030ms d unwatched -> retire a (roll); settle d; close A again",
             "1040ms ->");
        PLAY(roll_and_drain, "# One listener has drained, the other has not.",
             "pool max 2 surge 50 generation 2",
             "1s a gen 1 unwatched; b gen 2 roll unwatched; A gen 1 1 settled; B gen 1 1 queued 1 -> waits B at 1010ms",
             "# Who has taken the last of its clients may still serve it.",
             "1010ms B queued 0 settled -> empty B at 1020ms",
             "2s -> at 2010ms",
             "2010ms -> retire a (roll); settle b; close B; close A again",
             "2020ms ->");
        PLAY(roll_and_drain, "pool max 2 surge 50 closing-down",
             "1s a unwatched; b unwatched; A settled -> retire a (drained); retire b (drained) at 1010ms",
             "1010ms -> close A again",
             "1020ms ->");
        PLAY(roll_and_drain, "# Nor are they asked while they may serve the last one.",
             "pool max 2 surge 50 closing-down",
             "1s a unwatched; A queued 1 -> waits A at 1010ms",
             "1010ms A queued 0 settled -> empty A at 1020ms",
             "# Others that come meanwhile have the same,",
             "2s A queued 1 -> waits A at 2010ms",
             "2010ms A queued 0 -> at 2020ms",
             "# but not for ever.",
             "11s A queued 1 -> waits A at 11010ms",
             "11010ms A queued 0 -> retire a (drained) at 11020ms",
             "11020ms -> close A again");
        PLAY(roll_and_drain, "# Nor because of one listener while others wait on another.",
             "pool max 2 surge 50 closing-down",
             "1s a unwatched; A settled; B queued 1 -> waits B at 1010ms",
             "1010ms B queued 0 settled -> empty B at 1020ms",
             "2010ms -> retire a (drained); close A again at 2020ms",
             "2020ms -> close B again");
        PLAY(roll_and_drain, "# A handshake that was under way may have become a client.",
             "pool max 2 surge 50 closing-down",
             "1s a unwatched; A -> empty A at 1010ms",
             "1010ms A settled -> at 1020ms",
             "2s -> retire a (drained) at 2010ms");
        PLAY(roll_and_drain, "# With a successor others come all the time.",
             "pool max 2 surge 50 closing-down accepted 100",
             "1s a unwatched; A stays enough 103 queued 1 -> waits A at 1010ms",
             "1010ms A queued 0 settled -> retire a (drained) at 1020ms",
             "1020ms -> close A again");
        PLAY(roll_and_drain, "# A helper is neither rolled nor ends by itself.",
             "pool max 2 surge 50 generation 2",
             "1s a gen 2 unwatched; b drain gen 2 unwatched; A gen 1 1 queued 1 -> waits A at 1010ms",
             "1010ms A queued 0 settled -> empty A at 1020ms",
             "2010ms -> retire b (drained) at 2020ms",
             "2020ms -> close A again",
             "2030ms b gone ->");
        PLAY(roll_and_drain, "# One that reports, after a reload, would take up the room of the roll that it waits for.",
             "pool max 1 surge 0 generation 2",
             "1s a gen 1 unwatched; b drain gen 2 idle; A gen 1 1 settled -> retire b (drained) at 1010ms",
             "1010ms b gone -> launch c roll (generation 2, 1 of older ones left) at 1020ms",
             "1020ms c idle -> retire a (roll); settle c; close A again",
             "1030ms ->");
}

/* clang-format on */

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_closes),
                cmocka_unit_test(what_waits_is_served_first),
                cmocka_unit_test(help_for_a_queue_that_nobody_takes_from),
                cmocka_unit_test(help_is_bounded),
                cmocka_unit_test(what_nobody_can_serve_is_given_up),
                cmocka_unit_test(a_pool_that_closes_down),
                cmocka_unit_test(with_a_successor_a_queue_is_never_empty),
                cmocka_unit_test(programs_that_report_nothing_go_first),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
