/* The table of worker lifecycles, cell by cell, against a table written down independently; and what must hold on every
 * path through it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/policy/worker_fsm.h"

/* A cell says where the event leads and what is to be done: `next/action`, `next` (nothing to do), `/action` (stays) or
 * `-` (nothing at all). `a|b`: to b instead of a if the worker has been sent the retire signal before. Columns are the
 * events in the order of the enum. */
static const char *const expected_rows[] = {
        /* state    READY           RETIRE          DETACH           R_TIMEOUT         K_TIMEOUT
                    R_ENDED         S_TIMEOUT       STUCK            STOP_NOW          EXITED */
        "starting    ready|retiring retiring/signal -                -                 -"
        "           -               killing/kill    -                killing/kill      gone/forget",
        "ready       -              retiring/signal detached/signal  terminating/term  -"
        "           -               -               -                killing/kill      gone/forget",
        "detached    -              -               -                terminating/term  -"
        "           retiring        -               killing/kill     killing/kill      gone/forget",
        "retiring    -              -               detached         terminating/term  -"
        "           -               killing/kill    killing/kill     killing/kill      gone/forget",
        "terminating -              /signal         -                -                 killing/relay-kill"
        "           ready|retiring  -               -                killing/kill      gone/forget",
        "killing     -              /signal         -                -                 /kill"
        "           ready|retiring  -               -                /kill             gone/forget",
        "gone        -              -               -                -                 -"
        "           -               -               -                -                 -",
};

static const char *const action_words[WORKER_ACTION_COUNT] = {"", "signal", "term", "relay-kill", "kill", "forget"};

static struct worker_transition parse_cell(char *cell, enum worker_state state, bool retired)
{
        struct worker_transition transition = {.next = state};
        char *action = strchr(cell, '/'), *otherwise = strchr(cell, '|');

        if (text_equal(cell, "-"))
                return transition;
        if (action) {
                *action++ = '\0';
                while (!text_equal(action_words[transition.action], action))
                        assert_true(++transition.action < WORKER_ACTION_COUNT);
        }
        if (otherwise) {
                *otherwise++ = '\0';
                cell = retired ? otherwise : cell;
        }
        if (*cell == '\0')
                return transition;
        for (transition.next = 0; !text_equal(worker_state_name(transition.next), cell);)
                assert_true(++transition.next < WORKER_STATE_COUNT);
        return transition;
}

static void check_row(enum worker_state state, bool retired)
{
        char row[512];
        char *rest = row;

        snprintf(row, sizeof(row), "%s", expected_rows[state]);
        assert_string_equal(strtok_r(rest, " ", &rest), worker_state_name(state));
        for (enum worker_event event = 0; event < WORKER_EVENT_COUNT; event++) {
                char *cell = strtok_r(NULL, " ", &rest);
                assert_non_null(cell);
                struct worker_transition expected = parse_cell(cell, state, retired);
                struct worker_transition found = worker_fsm_step(state, event, retired);
                if (found.next != expected.next || found.action != expected.action)
                        fail_msg("%s, %s%s: to %s, action '%s'", worker_state_name(state), worker_event_name(event),
                                 retired ? " (retired)" : "", worker_state_name(found.next),
                                 action_words[found.action]);
        }
        assert_null(strtok_r(NULL, " ", &rest));
}

static void every_cell_is_as_written_down(void **state)
{
        (void)state;
        assert_int_equal(ELEMENTS(expected_rows), WORKER_STATE_COUNT);
        for (enum worker_state row = 0; row < WORKER_STATE_COUNT; row++) {
                check_row(row, false);
                check_row(row, true);
        }
}

/* Follow every path from the start; `visited` makes it end. `retired` is what the master would know: whether an action
 * SIGNAL_RETIRE was carried out. */
static void walk(enum worker_state at, bool retired, bool visited[WORKER_STATE_COUNT][2])
{
        if (visited[at][retired])
                return;
        visited[at][retired] = true;
        for (enum worker_event event = 0; event < WORKER_EVENT_COUNT; event++) {
                struct worker_transition t = worker_fsm_step(at, event, retired);
                /* A worker is forgotten when it is reaped, then only and once only. */
                assert_int_equal(t.next == WORKER_GONE, at == WORKER_GONE || event == WORKER_EVENT_EXITED);
                assert_int_equal(t.action == WORKER_ACTION_FORGET, at != WORKER_GONE && event == WORKER_EVENT_EXITED);
                /* Whoever leaves WORKER_STARTING does not come back. */
                assert_true(at == WORKER_STARTING || t.next != WORKER_STARTING);
                walk(t.next, retired || t.action == WORKER_ACTION_SIGNAL_RETIRE, visited);
        }
}

static void a_closed_door_stays_closed(void **state)
{
        bool visited[WORKER_STATE_COUNT][2] = {0};

        (void)state;
        walk(WORKER_STARTING, false, visited);
        assert_false(visited[WORKER_READY][true]);
        assert_false(visited[WORKER_STARTING][true]);
        /* A worker that counts as on its way out has really been told. */
        assert_false(visited[WORKER_RETIRING][false]);
        assert_false(visited[WORKER_DETACHED][false]);
        for (enum worker_state at = 0; at < WORKER_STATE_COUNT; at++)
                assert_true(visited[at][false] || visited[at][true]);
}

static void whatever_lives_can_be_killed(void **state)
{
        (void)state;
        for (enum worker_state at = 0; at < WORKER_GONE; at++)
                for (int retired = 0; retired <= 1; retired++) {
                        struct worker_transition t = worker_fsm_step(at, WORKER_EVENT_STOP_NOW, retired);
                        assert_int_equal(t.action, WORKER_ACTION_KILL);
                        /* And if that got lost, once more. */
                        t = worker_fsm_step(t.next, WORKER_EVENT_KILL_TIMEOUT, retired);
                        assert_int_equal(t.action, WORKER_ACTION_KILL);
                }
}

static void names_are_distinct(void **state)
{
        (void)state;
        for (enum worker_event a = 0; a < WORKER_EVENT_COUNT; a++)
                for (enum worker_event b = 0; b < a; b++)
                        assert_string_not_equal(worker_event_name(a), worker_event_name(b));
        assert_string_equal(worker_state_name(WORKER_STATE_COUNT), "unknown");
        assert_string_equal(worker_event_name(WORKER_EVENT_COUNT), "unknown");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_cell_is_as_written_down),
                cmocka_unit_test(a_closed_door_stays_closed),
                cmocka_unit_test(whatever_lives_can_be_killed),
                cmocka_unit_test(names_are_distinct),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
