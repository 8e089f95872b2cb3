/* The policy of deadlines as traces: see turn_text.h for the language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "logic/policy/deadline.h"
#include "unit/logic/policy/turn_text.h"

/* clang-format off */
/* Traces: a step a line. */

static void a_start_that_takes_too_long(void **state)
{
        (void)state;
        PLAY(deadline_decide, "pool start-timeout 10s",
             "1s a starting; b launching -> at 11s",
             "11s -> give-up a start_timeout: not ready after 10s; give-up b start_timeout: not ready after 10s",
             "# Met once.",
             "12s ->");
        PLAY(deadline_decide, "# It may have waited for a template, which has a time of its own.",
             "pool start-timeout 10s",
             "1s a launching -> at 11s",
             "9s a starting launched 1s -> at 19s",
             "19s -> give-up a start_timeout: not ready after 10s");
}

static void the_way_of_a_request_that_does_not_end(void **state)
{
        (void)state;
        PLAY(deadline_decide, "pool request-timeout 5s kill-timeout 2s",
             "1s a busy; b -> at 6s",
             "6s -> tell a request_timeout: TERM to the handler after 5s; feed a request timeout at 8s news",
             "# Met once: the request is being told to end.",
             "7s -> at 8s news",
             "8s -> tell a kill_timeout: KILL to the handler after 7s; feed a kill timeout at 10s news",
             "10s -> tell a kill_timeout: KILL to the worker after 9s; feed a kill timeout at 11s news",
             "# It had a second for taking its handler along.",
             "10500ms -> at 11s news",
             "11s -> feed a grace over news",
             "# What survives that is the kernel's.",
             "99s -> news");
}

static void a_request_that_ended_after_all(void **state)
{
        (void)state;
        PLAY(deadline_decide, "pool request-timeout 5s kill-timeout 2s",
             "1s a busy -> at 6s",
             "6s -> tell a request_timeout: TERM to the handler after 5s; feed a request timeout at 8s news",
             "7s a idle -> feed a request ended again news",
             "# The next request began before anybody looked: its own deadline holds, from its own beginning.",
             "8s a busy -> at 13s",
             "13s -> tell a request_timeout: TERM to the handler after 5s; feed a request timeout at 15s news",
             "14s a busy -> feed a request ended again at 19s",
             "# One that was retired meanwhile goes.",
             "19s -> tell a request_timeout: TERM to the handler after 5s; feed a request timeout at 21s news");
        PLAY(deadline_decide, "pool request-timeout 5s kill-timeout 2s",
             "1s a retiring busy since 1s -> at 6s",
             "6s -> tell a request_timeout: TERM to the handler after 5s; feed a request timeout at 8s news",
             "7s a waiting -> feed a request ended again at 12s news");
}

static void requests_are_news_only_while_none_is_watched(void **state)
{
        (void)state;
        PLAY(deadline_decide, "# No deadlines: never.", "1s a busy; b ->");
        PLAY(deadline_decide, "pool detach-after 5s max-detached 1",
             "1s a; b -> news",
             "2s b busy -> at 7s",
             "3s a busy -> at 7s",
             "# b is outside of max_workers, and there is no place for a.",
             "7s -> tell b detached after 5s; feed b detach again at 8s",
             "8s -> news",
             "10s b waiting -> feed b request ended again at 15s news",
             "10s -> tell a detached after 7s; feed a detach again at 15s news");
        PLAY(deadline_decide, "pool request-timeout 5s kill-timeout 1s",
             "1s a terminating -> feed a request ended again news",
             "2s a busy -> at 7s");
}

static void a_slow_request_is_told_of_once(void **state)
{
        (void)state;
        PLAY(deadline_decide, "pool slowlog 5s",
             "1s a busy; b -> at 6s",
             "6s -> slow a after 5s news",
             "7s -> news",
             "8s b busy -> at 13s",
             "# The next one has its own time.",
             "9s a idle -> at 13s",
             "10s a busy -> at 13s",
             "13s -> slow b after 5s at 15s",
             "15s -> slow a after 5s news");
        PLAY(deadline_decide, "pool slowlog 2s request-timeout 5s kill-timeout 2s",
             "1s a busy -> at 3s",
             "3s -> slow a after 2s at 6s",
             "6s -> tell a request_timeout: TERM to the handler after 5s; feed a request timeout at 8s news",
             "# It is not told of what ends it.",
             "7s -> at 8s news");
        PLAY(deadline_decide, "pool slowlog 5s detach-after 5s max-detached 1",
             "1s a busy -> at 6s",
             "6s -> slow a after 5s; tell a detached after 5s; feed a detach again news",
             "7s -> news");
}

static void a_detached_request_still_has_its_timeout(void **state)
{
        (void)state;
        PLAY(deadline_decide, "pool request-timeout 9s kill-timeout 1s detach-after 5s max-detached 2",
             "1s a busy -> at 6s",
             "6s -> tell a detached after 5s; feed a detach again at 10s",
             "10s -> tell a request_timeout: TERM to the handler after 9s; feed a request timeout at 11s news",
             "# Its place outside of max_workers is closed: it ends, and does not count again.",
             "10500ms a waiting -> feed a request ended again at 15500ms news");
}

static void a_worker_that_does_not_go(void **state)
{
        (void)state;
        PLAY(deadline_decide, "# No deadline of requests: those are waited for.",
             "1s a retiring busy; b retiring -> at 6s",
             "5s a idle -> at 6s",
             "6s -> tell b does not retire: killed after 5s; feed b stuck at 7s",
             "7s -> feed b grace over at 10s",
             "10s -> tell a does not retire: killed after 5s; feed a stuck at 11s",
             "10500ms a gone; b gone ->");
        PLAY(deadline_decide, "# It has accepted a connection, and serves it at the latest when it has been held for so long.",
             "1s a retiring throttled -> at 16s",
             "15s -> at 16s",
             "16s -> tell a does not retire: killed after 15s; feed a stuck at 17s");
}

static void one_that_refuses_has_no_deadline(void **state)
{
        (void)state;
        PLAY(deadline_decide, "pool start-timeout 1s request-timeout 1s",
             "99s a refuse starting launched 1s; b refuse retiring since 1s -> news",
             "100s a ending -> at 101s news",
             "101s -> feed a grace over news");
}

/* clang-format on */

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_start_that_takes_too_long),
                cmocka_unit_test(the_way_of_a_request_that_does_not_end),
                cmocka_unit_test(a_request_that_ended_after_all),
                cmocka_unit_test(requests_are_news_only_while_none_is_watched),
                cmocka_unit_test(a_slow_request_is_told_of_once),
                cmocka_unit_test(a_detached_request_still_has_its_timeout),
                cmocka_unit_test(a_worker_that_does_not_go),
                cmocka_unit_test(one_that_refuses_has_no_deadline),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
