/* Workers with threads as traces: what each policy does with rows of several slots. See turn_text.h for the language.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "logic/policy/deadline.h"
#include "logic/policy/drain.h"
#include "logic/policy/recycle.h"
#include "logic/policy/roll.h"
#include "logic/policy/scaling.h"
#include "unit/logic/policy/turn_text.h"

/* clang-format off */
/* Traces: a step a line. */

static void counts_are_in_slots(void **state)
{
        const struct worker_row rows[] = {
                {.life.state = WORKER_READY, .idle = true, .slots = 4},
                {.life.state = WORKER_READY, .idle_slots = 1, .busy = true, .slots = 4},
                {.life.state = WORKER_STARTING, .slots = 4, .purpose = WORKER_ROLL, .generation = 1},
                {.life.state = WORKER_TERMINATING, .idle_slots = 3, .busy = true, .slots = 4},
                {.life = {.state = WORKER_RETIRING, .retired = true}, .busy = true, .slots = 4},
                {.life = {.state = WORKER_DETACHED, .retired = true}, .busy = true, .slots = 4},
                {.life.state = WORKER_READY, .idle = true, .stopped = true, .slots = 4},
                {.life.state = WORKER_READY, .purpose = WORKER_REFUSE},
        };
        struct worker_counts c = {0};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                worker_counts_add(&c, &rows[i], 1);
        assert_int_equal(c.idle, 4 + 1 + 3);
        assert_int_equal(c.busy, 3 + 1 + 4);
        assert_int_equal(c.starting, 4);
        assert_int_equal(c.total, 20);
        assert_int_equal(c.old_total, 16);
        assert_int_equal(c.surge, 4);
        assert_int_equal(c.retiring, 4);
        assert_int_equal(c.detached, 4);
        assert_int_equal(c.processes, 24);
        assert_int_equal(c.processes_all, 29);
}

static void whole_processes_come(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool threads 4 max 16 spare 2 3 start 2 processes 100 spare-timeout 10s",
             "1s -> launch a serve (start) high 6",
             "2s a idle; pool water 4 -> low 2 high 6",
             "# One is missing, and four come; then six queue, for which two processes are enough.",
             "3s a part 1 -> launch b serve (spare 1 < 2) high 6",
             "4s a busy; b busy; pool queued 6 -> launch c d serve (spare 0 < 2, 6 queued) high 6",
             "# The last place is less than a process.",
             "5s pool max 19 queued 9; c busy; d busy -> warn saturated: 16 workers are all in use, 9 connections wait; consider raising max_workers at 15s high 6");
}

static void whole_processes_go(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool threads 4 max 16 spare 1 2 processes 100 spare-timeout 10s water 9",
             "# Nine are idle, and two may be: one process goes, of those that are idle as a whole.",
             "1s a part 1; b; c -> at 11s low 1 reset",
             "11s -> say -1 worker of 4 threads (idle 9 > 2 for 10s); retire b (surplus) low 1 high 5",
             "# Five are less than a whole process too many.",
             "12s b gone; pool water 5 -> low 1 high 5");
        PLAY(scaling_decide, "# None is idle as a whole: it waits.",
             "pool threads 4 max 16 spare 1 2 processes 100 spare-timeout 10s water 9",
             "1s a part 3; b part 3; c part 3 -> at 11s low 1 reset",
             "11s -> at 21s low 1 reset",
             "21s c idle; a part 2 -> say -1 worker of 4 threads (idle 9 > 2 for 10s); retire c (surplus) low 1 high 5");
}

static void above_the_limit_the_most_idle_goes(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool threads 4 max 8 spare 0 8 processes 100 spare-timeout 10s water 9",
             "1s a part 1; b part 3; c part 2 -> say -1 worker of 4 threads (total 12 > 8); retire b (surplus) again low 1",
             "1s b retiring busy -> low 1 high 11",
             "# Three are idle: less than a process. One more, and it goes.",
             "2s pool max 4 -> low 1 high 3",
             "3s a part 2 -> say -1 worker of 4 threads (total 8 > 4); retire a (surplus) again watch");
}

static void a_roll_replaces_slots(void **state)
{
        (void)state;
        PLAY(roll_decide, "pool threads 4 max 16 surge 25 generation 2",
             "1s a gen 1; b gen 1 part 1; c gen 1 busy; d gen 1 part 2 -> launch e roll (generation 2, 16 of older ones left)",
             "2s e idle -> retire a (roll); settle e",
             "3s a gone -> launch f roll (generation 2, 12 of older ones left)",
             "4s f idle -> retire d (roll); settle f");
        PLAY(roll_decide, "# From one thread to four: a new process takes the place of four.",
             "pool threads 4 max 8 surge 1 generation 2",
             "1s a gen 1 slots 1; b gen 1 slots 1; c gen 1 slots 1; d gen 1 slots 1; e gen 1 slots 1 -> launch f roll (generation 2, 5 of older ones left)",
             "2s f idle -> retire a (roll); retire b (roll); retire c (roll); retire d (roll); settle f",
             "3s a gone; b gone; c gone; d gone -> launch g roll (generation 2, 1 of older ones left)",
             "4s g idle -> retire e (roll); settle g");
        PLAY(roll_decide, "# And back: an old process goes as a whole.",
             "pool max 8 surge 1 generation 2",
             "1s a gen 1 slots 4; b gen 1 slots 4 -> launch c roll (generation 2, 8 of older ones left)",
             "2s c idle -> retire a (roll); settle c",
             "3s a gone -> launch d roll (generation 2, 4 of older ones left)",
             "4s d idle -> retire b (roll); settle d");
}

static void recycled_as_one(void **state)
{
        (void)state;
        PLAY(recycle_decide, "pool threads 4 max 16 spare 1 8 recycling 1 processes 100",
             "1s a part 2 asks; b -> launch c replace a; say recycling worker 0 (max_requests, 1 request)",
             "2s c idle -> let-go a (recycled)",
             "3s a gone ->");
        PLAY(recycle_decide, "# A full pool: it is retired although it serves, or three threads would wait for one.",
             "pool threads 4 max 4 spare 1 4 recycling 1 processes 100",
             "1s a part 3 asks -> say recycling worker 0 (max_requests, 1 request); let-go a (max_requests)",
             "# Two of three that ask: max_recycling counts processes.",
             "2s a retiring busy quiet; b busy asks -> serve-on b");
}

static void deadlines_are_of_requests(void **state)
{
        (void)state;
        PLAY(deadline_decide, "pool threads 4 request-timeout 5s kill-timeout 2s",
             "1s a busy -> at 6s",
             "6s -> tell a request_timeout: TERM to the handler after 5s; feed a request timeout again at 8s news",
             "# Another thread has its own time.",
             "6s a other 2s -> at 7s",
             "7s -> tell a request_timeout: TERM to the handler after 5s; interrupt a again at 8s",
             "# The first has ended. The other was told, and is not told again.",
             "7500ms a alone waiting -> feed a request ended again news",
             "7500ms a ready busy interrupted since 2s -> feed a request timeout again at 9500ms news",
             "9500ms -> tell a kill_timeout: KILL to the handler after 7500ms; feed a kill timeout at 11500ms news");
        PLAY(deadline_decide, "# Its threads count, and go together.",
             "pool threads 4 detach-after 5s max-detached 7",
             "1s a part 3; b part 2 -> at 6s",
             "6s -> tell a detached after 5s; feed a detach again news");
}

static void helpers_and_takers(void **state)
{
        (void)state;
        PLAY(drain_decide, "# Three idle threads are about to accept three connections; for a fourth somebody is needed.",
             "pool threads 4 max 16 generation 2 processes 100",
             "5s A closing 1s queued 3; a gen 1 part 3 -> waits A at 5010ms",
             "6s A queued 4 -> waits A; launch b drain at 6010ms");
}
/* clang-format on */

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(counts_are_in_slots),       cmocka_unit_test(whole_processes_come),
                cmocka_unit_test(whole_processes_go),        cmocka_unit_test(above_the_limit_the_most_idle_goes),
                cmocka_unit_test(a_roll_replaces_slots),     cmocka_unit_test(recycled_as_one),
                cmocka_unit_test(deadlines_are_of_requests), cmocka_unit_test(helpers_and_takers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
