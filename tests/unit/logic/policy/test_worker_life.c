/* The table of workers' lives, cell by cell, against a table written down independently; and what must hold on every
 * path through it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/policy/worker_life.h"

/* A cell says where the event leads and what is to be done: `next/action`, `next` (nothing to do), `/action` (stays) or
 * `-` (nothing at all); `+` at the end: the door is closed by it. `a|b`: b instead of a if the door was closed before.
 * Columns are the events in the order of the enum. */
static const char *const expected_rows[] = {
        /* state    LAUNCHED                        LAUNCH_FAILED READY          RETIRE             DETACH
                    R_TIMEOUT         K_TIMEOUT     R_ENDED        S_TIMEOUT    STUCK
                    STOP_NOW          NO_HANDLER    GRACE_OVER     EXITED */
        "launching   starting|retiring/signal       gone/forget   -              +|-                -"
        "           -                 -             -              killed       -"
        "           killed            -             -              gone/forget",
        "starting    -                              -             ready|retiring retiring/signal+|- -"
        "           -                 -             -              killed/kill  -"
        "           ending/end        -             -              gone/forget",
        "ready       -                              -             -              retiring/signal+|- detached/signal+"
        "           terminating/term  -             -              -            -"
        "           ending/end        -             -              gone/forget",
        "detached    -                              -             -              -                  -"
        "           terminating/term  -             retiring       -            ending/end"
        "           ending/end        -             -              gone/forget",
        "retiring    -                              -             -              -                  detached"
        "           terminating/term  -             -              killed/kill  ending/end"
        "           ending/end        -             -              gone/forget",
        "terminating -                              -             -              /signal+|-         -"
        "           -                 killing/relay-kill ready|retiring -       -"
        "           ending/end        -             -              gone/forget",
        "killing     -                              -             -              /signal+|-         -"
        "           -                 ending/end    ready|retiring -            -"
        "           ending/end        -             -              gone/forget",
        "ending      -                              -             -              -                  -"
        "           -                 -             -              -            -"
        "           killed/kill       killed/kill   killed/kill    gone/forget",
        "killed      /kill                          gone/forget   -              -                  -"
        "           -                 -             -              -            -"
        "           -                 -             -              gone/forget",
        "gone        -                              -             -              -                  -"
        "           -                 -             -              -            -"
        "           -                 -             -              -",
};

static const char *const action_words[WORKER_ACTION_COUNT] = {"",    "signal", "term",  "relay-kill",
                                                              "end", "kill",   "forget"};

#define BEFORE_MS 5
#define NOW_MS 7

struct outcome {
        struct worker_life life;
        enum worker_action action;
};

static struct outcome parse_cell(char *cell, enum worker_state state, bool retired)
{
        struct outcome outcome = {.life = {.state = state, .retired = retired, .since_ms = BEFORE_MS}};
        char *otherwise = strchr(cell, '|');

        if (otherwise) {
                *otherwise++ = '\0';
                cell = retired ? otherwise : cell;
        }
        char *action = strchr(cell, '/'), *plus = strchr(cell, '+');
        if (plus) {
                *plus = '\0';
                outcome.life.retired = true;
        }
        if (action) {
                *action++ = '\0';
                while (!text_equal(action_words[outcome.action], action))
                        assert_true(++outcome.action < WORKER_ACTION_COUNT);
        }
        if (*cell == '\0' || text_equal(cell, "-"))
                return outcome;
        for (outcome.life.state = 0; !text_equal(worker_life_state_name(outcome.life.state), cell);)
                assert_true(++outcome.life.state < WORKER_STATE_COUNT);
        outcome.life.since_ms = NOW_MS;
        return outcome;
}

static void check_row(enum worker_state state, bool retired)
{
        char row[1024];
        char *rest = row;

        snprintf(row, sizeof(row), "%s", expected_rows[state]);
        assert_string_equal(strtok_r(rest, " ", &rest), worker_life_state_name(state));
        for (enum worker_event event = 0; event < WORKER_EVENT_COUNT; event++) {
                struct worker_life life = {.state = state, .retired = retired, .since_ms = BEFORE_MS};
                char *cell = strtok_r(NULL, " ", &rest);
                assert_non_null(cell);
                const struct outcome expected = parse_cell(cell, state, retired);
                enum worker_action action = worker_life_feed(&life, event, NOW_MS);
                if (life.state != expected.life.state || life.retired != expected.life.retired ||
                    life.since_ms != expected.life.since_ms || action != expected.action)
                        fail_msg("%s, %s%s: to %s%s since %llu, action '%s'", worker_life_state_name(state),
                                 worker_life_event_name(event), retired ? " (retired)" : "",
                                 worker_life_state_name(life.state), life.retired ? " (retired)" : "",
                                 (unsigned long long)life.since_ms, action_words[action]);
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

/* Follow every path from the launch; `visited` makes it end. `told`: an action SIGNAL_RETIRE was carried
 * out. */
static void walk(struct worker_life life, bool has_pid, bool told, bool visited[WORKER_STATE_COUNT][2][2][2])
{
        if (visited[life.state][life.retired][has_pid][told])
                return;
        visited[life.state][life.retired][has_pid][told] = true;
        for (enum worker_event event = 0; event < WORKER_EVENT_COUNT; event++) {
                struct worker_life next = life;
                bool is_of_launch = event == WORKER_EVENT_LAUNCHED || event == WORKER_EVENT_LAUNCH_FAILED;
                if (is_of_launch && has_pid) /* said once */
                        continue;
                enum worker_action action = worker_life_feed(&next, event, 1);
                bool ends = event == WORKER_EVENT_EXITED || event == WORKER_EVENT_LAUNCH_FAILED;
                /* A worker is forgotten when it is reaped or was never launched, then only and once only. */
                assert_int_equal(next.state == WORKER_GONE, life.state == WORKER_GONE || ends);
                assert_int_equal(action == WORKER_ACTION_FORGET, life.state != WORKER_GONE && ends);
                /* Nothing leads back to the beginning, and no door opens again. */
                assert_true(life.state == WORKER_LAUNCHING || next.state != WORKER_LAUNCHING);
                assert_true(!life.retired || next.retired);
                /* Nobody is sent anything before there is somebody, and everybody is told who should be. */
                bool acts = action != WORKER_ACTION_NONE && action != WORKER_ACTION_FORGET;
                bool knows = has_pid || event == WORKER_EVENT_LAUNCHED;
                assert_true(!acts || knows);
                walk(next, knows, told || action == WORKER_ACTION_SIGNAL_RETIRE, visited);
        }
}

static void a_closed_door_stays_closed(void **state)
{
        bool visited[WORKER_STATE_COUNT][2][2][2] = {0};

        (void)state;
        walk((struct worker_life){0}, false, false, visited);
        for (enum worker_state at = 0; at < WORKER_GONE; at++) {
                bool reached = false;
                for (int flags = 0; flags < 8; flags++)
                        reached |= visited[at][flags >> 2][flags >> 1 & 1][flags & 1];
                assert_true(reached);
                /* A door that is closed has been told so as soon as there is somebody to tell, and only then; who gets
                 * KILL as soon as its pid is known need not hear of it. */
                assert_false(visited[at][1][1][0] && at != WORKER_KILLED);
                assert_false(visited[at][0][1][1]);
        }
        for (int told = 0; told <= 1; told++) {
                assert_false(visited[WORKER_READY][1][1][told]);
                assert_false(visited[WORKER_STARTING][1][1][told]);
                assert_false(visited[WORKER_RETIRING][0][1][told]);
                assert_false(visited[WORKER_DETACHED][0][1][told]);
        }
}

static void whatever_lives_can_be_killed(void **state)
{
        (void)state;
        for (enum worker_state at = 0; at < WORKER_GONE; at++)
                for (int retired = 0; retired <= 1; retired++) {
                        struct worker_life life = {.state = at, .retired = retired};
                        enum worker_action action = worker_life_feed(&life, WORKER_EVENT_STOP_NOW, 1);
                        assert_false(worker_life_is_open(&life));
                        /* And if that does not help, once more, harder. */
                        if (life.state != WORKER_KILLED)
                                action = worker_life_feed(&life, WORKER_EVENT_STOP_NOW, 2);
                        assert_int_equal(life.state, WORKER_KILLED);
                        assert_int_equal(action == WORKER_ACTION_KILL, at != WORKER_LAUNCHING && at != WORKER_KILLED);
                }
}

static void who_was_retired_before_it_had_a_pid_is_told_then(void **state)
{
        struct worker_life life = {0};

        (void)state;
        assert_int_equal(worker_life_feed(&life, WORKER_EVENT_RETIRE, 1), WORKER_ACTION_NONE);
        assert_false(worker_life_is_open(&life));
        assert_int_equal(worker_life_feed(&life, WORKER_EVENT_LAUNCHED, 2), WORKER_ACTION_SIGNAL_RETIRE);
        assert_int_equal(life.state, WORKER_RETIRING);
}

static void names_are_distinct(void **state)
{
        (void)state;
        for (enum worker_event a = 0; a < WORKER_EVENT_COUNT; a++)
                for (enum worker_event b = 0; b < a; b++)
                        assert_string_not_equal(worker_life_event_name(a), worker_life_event_name(b));
        assert_string_equal(worker_life_state_name(WORKER_STATE_COUNT), "unknown");
        assert_string_equal(worker_life_event_name(WORKER_EVENT_COUNT), "unknown");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_cell_is_as_written_down),
                cmocka_unit_test(a_closed_door_stays_closed),
                cmocka_unit_test(whatever_lives_can_be_killed),
                cmocka_unit_test(who_was_retired_before_it_had_a_pid_is_told_then),
                cmocka_unit_test(names_are_distinct),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
