/* The policy of recycling as traces: see turn_text.h for the language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "logic/policy/recycle.h"
#include "unit/logic/policy/turn_text.h"

/* clang-format off */
/* Traces: a step a line. */

static void the_replacement_is_ready_first(void **state)
{
        (void)state;
        PLAY(recycle_decide, "pool max 4 spare 1 3 recycling 1",
             "1s a busy asks -> launch b replace a; say recycling worker 0 (max_requests, 1 request)",
             "# It starts: a waits, and so does everybody else's look at it.",
             "2s ->",
             "3s b idle -> let-go a (recycled)",
             "# A worker given leave counts until it has gone; nothing more to say to it.",
             "4s ->",
             "5s a gone ->");
}

static void a_full_pool_lets_go_first(void **state)
{
        (void)state;
        PLAY(recycle_decide, "pool max 2 spare 2 2 recycling 1 static",
             "1s a busy asks; b -> say recycling worker 0 (max_requests, 1 request); let-go a (max_requests)",
             "# It counts until it has gone: the next one has to wait, and serves on.",
             "2s b busy asks -> serve-on b",
             "3s a gone; b idle ->",
             "# The one that starts in its place stands for it: a full pool recycles no other meanwhile.",
             "4s c starting; b busy asks -> serve-on b",
             "5s c idle; b busy asks -> say recycling worker 0 (max_requests, 3 requests); let-go b (max_requests)");
}

static void a_replacement_for_each_of_max_recycling(void **state)
{
        (void)state;
        PLAY(recycle_decide, "pool max 8 spare 1 8 recycling 3",
             "1s a busy asks; b busy asks-memory; c busy asks-age; d busy asks -> "
             "launch e replace a; say recycling worker 0 (max_requests, 1 request); "
             "launch f replace b; say recycling worker 0 (max_worker_memory, 1 request); "
             "launch g replace c; say recycling worker 0 (max_worker_age, 1 request); serve-on d",
             "2s f idle -> let-go b (recycled)",
             "3s b gone; d busy asks -> launch h replace d; say recycling worker 0 (max_requests, 2 requests)");
        PLAY(recycle_decide, "# Room for one of them: the other goes first, for the pool is full then.",
             "pool max 3 spare 1 3 recycling 2",
             "1s a busy asks; b busy asks -> launch c replace a; say recycling worker 0 (max_requests, 1 request); "
             "say recycling worker 0 (max_requests, 1 request); let-go b (max_requests)");
}

static void who_is_not_missed_needs_no_replacement(void **state)
{
        (void)state;
        PLAY(recycle_decide, "pool max 8 spare 1 2 recycling 1",
             "1s a busy asks; b; c -> say recycling worker 0 (max_requests, 1 request); let-go a (max_requests)");
        PLAY(recycle_decide, "pool max 8 spare 0 2 recycling 1 ondemand",
             "1s a busy asks -> say recycling worker 0 (max_requests, 1 request); let-go a (max_requests)");
        PLAY(recycle_decide, "# Helpers are the drain policy's, and a pool that closes down replaces nobody.",
             "pool max 8 spare 1 2 recycling 2",
             "1s a drain busy asks -> say recycling worker 0 (max_requests, 1 request); let-go a (max_requests)",
             "pool closing-down",
             "2s b busy asks -> say recycling worker 0 (max_requests, 1 request); let-go b (max_requests)");
}

static void crowded_or_backing_off_it_serves_on(void **state)
{
        (void)state;
        PLAY(recycle_decide, "# Workers that end hold the places of processes: it must not go without a replacement.",
             "pool max 2 spare 1 2 recycling 1 processes 3",
             "1s a busy asks; b retiring busy; c retiring busy -> serve-on a",
             "2s a busy asks; c gone -> launch d replace a; say recycling worker 0 (max_requests, 2 requests)");
        PLAY(recycle_decide, "# The same by age, where nobody asks: looked for again, and the end of one is a turn.",
             "pool max 2 spare 1 2 recycling 1 processes 2 age 10s",
             "20s a; b retiring busy -> at 21s",
             "20s b gone -> launch c replace a; say recycling worker 0 (max_worker_age, 0 requests)");
        PLAY(recycle_decide, "# Others than these fail to start.",
             "pool max 4 spare 1 2 recycling 1 backoff 5s",
             "1s a busy asks -> serve-on a",
             "5s a busy asks -> launch b replace a; say recycling worker 0 (max_requests, 2 requests)");
}

static void first_come_first_let_go(void **state)
{
        (void)state;
        PLAY(recycle_decide, "# In the order in which their requests began, whatever that of the rows is.",
             "pool max 4 spare 4 4 recycling 1 static",
             "4s a busy since 3s asks; b busy since 1s asks; c busy since 2s asks; d -> "
             "say recycling worker 0 (max_requests, 1 request); let-go b (max_requests); serve-on a; serve-on c",
             "# Several in one turn.",
             "5s b gone; a busy since 3s asks; c busy since 2s asks; d busy since 1s asks; pool recycling 2 max 3 -> "
             "say recycling worker 0 (max_requests, 1 request); let-go d (max_requests); "
             "say recycling worker 0 (max_requests, 2 requests); let-go c (max_requests); serve-on a");
}

static void nobody_is_let_go_while_no_worker_can_be_started(void **state)
{
        (void)state;
        PLAY(recycle_decide, "# A full pool, where a replacement cannot come first: there will be none afterwards either.",
             "pool max 2 spare 2 2 recycling 1 static backoff 5s",
             "1s a busy asks; b -> serve-on a",
             "5s a busy asks -> say recycling worker 0 (max_requests, 2 requests); let-go a (max_requests)");
        PLAY(recycle_decide, "# Nor by age.",
             "pool max 1 spare 1 1 recycling 1 static backoff 9s age 1s",
             "5s a ->",
             "9s -> say recycling worker 0 (max_worker_age, 0 requests); let-go a (max_worker_age) at 10s");
        PLAY(recycle_decide, "# The one whose replacement could be launched is let go all the same.",
             "pool max 2 spare 1 2 recycling 1",
             "1s a busy asks -> launch b replace a; say recycling worker 0 (max_requests, 1 request)",
             "2s pool backoff 5s; b idle -> let-go a (recycled)");
        PLAY(recycle_decide, "# Crowded for one is crowded for all: no other launch is tried in this turn.",
             "pool max 4 spare 4 4 recycling 2 processes 4",
             "4s a busy since 1s asks; b busy since 2s asks; c retiring busy; d retiring busy -> "
             "serve-on a; serve-on b");
}

static void helpers_are_no_spare_workers(void **state)
{
        (void)state;
        PLAY(recycle_decide, "# A helper takes no connection of the pool's own listeners.",
             "pool max 4 spare 1 1 recycling 1",
             "1s a busy asks; b drain idle -> launch c replace a; say recycling worker 0 (max_requests, 1 request)");
        PLAY(recycle_decide, "# Nor does it fill the pool.",
             "pool max 2 spare 1 2 recycling 1",
             "1s a busy asks; b drain busy -> launch c replace a; say recycling worker 0 (max_requests, 1 request)");
}

static void a_replacement_that_comes_to_nothing(void **state)
{
        (void)state;
        PLAY(recycle_decide, "pool max 4 spare 1 3 recycling 1",
             "1s a busy asks -> launch b replace a; say recycling worker 0 (max_requests, 1 request)",
             "# Its fork failed, or it died before it was ready.",
             "2s b failed -> serve-on a",
             "3s a busy asks -> launch c replace a; say recycling worker 0 (max_requests, 2 requests)",
             "# It left off asking before its replacement was ready (the master was slow): both serve.",
             "4s a busy quiet ->",
             "5s c idle -> serve-on a",
             "6s a busy asks -> launch d replace a; say recycling worker 0 (max_requests, 4 requests)",
             "# The old one dies first.",
             "7s a gone ->", "8s d idle ->");
        PLAY(recycle_decide, "# It was ready, and was asked to go as surplus, or by a roll, before its turn came.",
             "pool max 4 spare 1 3 recycling 1",
             "1s a busy asks -> launch b replace a; say recycling worker 0 (max_requests, 1 request)",
             "2s b retiring busy -> serve-on a");
}

static void one_that_left_off_asking_serves_on(void **state)
{
        (void)state;
        PLAY(recycle_decide, "pool max 2 spare 2 2 recycling 1 static",
             "1s a busy asks; b -> say recycling worker 0 (max_requests, 1 request); let-go a (max_requests)",
             "# An earlier LATER had reached it when it was given leave: it holds no place of max_recycling.",
             "2s a busy quiet -> serve-on a",
             "3s a busy asks -> say recycling worker 0 (max_requests, 3 requests); let-go a (max_requests)",
             "# It had ceased to wait for the answer, and is idle again.",
             "4s a idle -> retire a (recycled)",
             "5s ->");
}

static void by_age(void **state)
{
        (void)state;
        PLAY(recycle_decide, "pool max 3 spare 1 3 recycling 1 age 10s",
             "1s a launched 1s; b launched 2s busy; c launched 3s -> at 11s",
             "# Idle ones are seen by the master; c's turn comes when a has gone.",
             "13s -> say recycling worker 0 (max_worker_age, 0 requests); let-go a (max_worker_age) at 14s",
             "14s a gone -> launch d replace c; say recycling worker 0 (max_worker_age, 0 requests) at 15s",
             "15s d idle -> let-go c (recycled) at 16s");
        PLAY(recycle_decide, "# It became busy when it was given leave, and asks: that cleared the answer.",
             "pool max 1 spare 1 1 recycling 1 static age 10s",
             "13s a launched 1s -> say recycling worker 0 (max_worker_age, 0 requests); let-go a (max_worker_age) at 14s",
             "14s a ready busy asks-age -> let-go a (recycled)",
             "15s ->");
        PLAY(recycle_decide, "# What starts and ends is not looked at, nor what refuses.",
             "pool max 3 spare 1 3 recycling 1 age 10s",
             "99s a starting launched 1s; b retiring asks; c refuse idle; d detached busy asks; e ending asks ->");
}

static void a_detached_one_holds_no_place(void **state)
{
        (void)state;
        PLAY(recycle_decide, "pool max 2 spare 1 2 recycling 1 static",
             "1s a busy asks; b -> say recycling worker 0 (max_requests, 1 request); let-go a (max_requests)",
             "2s a detached; b busy asks -> launch c replace b; say recycling worker 0 (max_requests, 1 request)");
}

/* clang-format on */

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_replacement_is_ready_first),
                cmocka_unit_test(a_full_pool_lets_go_first),
                cmocka_unit_test(a_replacement_for_each_of_max_recycling),
                cmocka_unit_test(who_is_not_missed_needs_no_replacement),
                cmocka_unit_test(crowded_or_backing_off_it_serves_on),
                cmocka_unit_test(first_come_first_let_go),
                cmocka_unit_test(nobody_is_let_go_while_no_worker_can_be_started),
                cmocka_unit_test(helpers_are_no_spare_workers),
                cmocka_unit_test(a_replacement_that_comes_to_nothing),
                cmocka_unit_test(one_that_left_off_asking_serves_on),
                cmocka_unit_test(by_age),
                cmocka_unit_test(a_detached_one_holds_no_place),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
