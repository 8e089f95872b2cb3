/* Rows, orders and the turn that holds them: counts follow every change, launches know their limits, and what cannot be
 * remembered is not ordered. That counts are those of the rows is tested over random traces, too. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "logic/policy/turn.h"

#define NO_MEMORY (SIZE_MAX / 64) /* orders that are so many already cannot become more */

static const struct pool_config config = {.max_workers = 4, .reload_surge_percent = 25};

static struct turn make_turn(void)
{
        struct turn turn = {0};

        turn_begin(&turn, 1000, 2);
        turn.config = &config;
        turn.limits = scale_limits_of(&config);
        turn.process_limit = 10;
        assert_int_equal(worker_rows_reserve(&turn.rows, 4), 0);
        return turn;
}

static uint32_t add(struct turn *turn, enum worker_state state, enum worker_purpose purpose)
{
        const struct worker_row row = {.life = {.state = state, .retired = state == WORKER_RETIRING},
                                       .purpose = purpose,
                                       .generation = 2,
                                       .idle = state == WORKER_READY};

        return worker_rows_add(&turn->rows, &row);
}

/* A worker that a signal has stopped is neither idle nor about to be. */
static void one_that_is_stopped_is_not_spare(void **state)
{
        static const enum worker_state states[] = {WORKER_READY, WORKER_STARTING, WORKER_LAUNCHING};
        struct turn turn = make_turn();
        const struct worker_counts *counts = &turn.rows.counts;

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                const struct worker_row row = {.life.state = states[i], .idle = i == 0, .stopped = true};
                worker_rows_add(&turn.rows, &row);
                assert_int_equal(counts->idle + counts->starting, 0);
                assert_int_equal(counts->busy, i + 1);
                assert_int_equal(counts->total, i + 1);
        }
        turn_clear(&turn);
}

static void counts_follow_every_change(void **state)
{
        struct turn turn = make_turn();
        const struct worker_counts *counts = &turn.rows.counts;

        (void)state;
        uint32_t worker = add(&turn, WORKER_READY, WORKER_SERVE);
        assert_int_equal(counts->idle, 1);
        turn_feed(&turn, worker, WORKER_EVENT_DETACH);
        assert_int_equal(counts->idle + counts->total + counts->processes, 0);
        assert_int_equal(counts->detached, 1);
        turn_feed(&turn, worker, WORKER_EVENT_REQUEST_ENDED);
        assert_int_equal(counts->retiring + counts->processes, 2);
        turn_feed(&turn, worker, WORKER_EVENT_EXITED);
        assert_int_equal(counts->retiring + counts->processes_all, 0);
        uint32_t ahead = add(&turn, WORKER_STARTING, WORKER_ROLL);
        assert_int_equal(counts->surge + counts->starting, 2);
        turn_settle(&turn, ahead);
        assert_int_equal(counts->surge, 0);
        assert_int_equal(counts->total, 1);
        add(&turn, WORKER_STARTING, WORKER_REFUSE);
        assert_int_equal(counts->total, 1);
        assert_int_equal(counts->processes_all, 2);
        turn_clear(&turn);
}

static void a_replacement_is_linked_and_let_go_of(void **state)
{
        struct turn turn = make_turn();
        uint32_t worker = add(&turn, WORKER_READY, WORKER_SERVE);
        const struct launch launch = {.purpose = WORKER_REPLACE, .count = 1, .reason = "recycle", .replaces = worker};

        (void)state;
        assert_int_equal(turn_launch(&turn, &launch), 1);
        uint32_t replacement = turn.rows.items[worker].replacement;
        assert_int_equal(turn.rows.items[replacement].replaces, worker);
        assert_int_equal(turn.rows.items[worker].recycling, RECYCLE_REPLACING);
        /* Should it go itself, recycling has to hear of it. */
        turn_retire(&turn, replacement, "roll");
        assert_true(turn.again);
        turn_serve_on(&turn, worker);
        assert_int_equal(turn.rows.items[worker].replacement, WORKER_ROW_NONE);
        assert_int_equal(turn.rows.items[replacement].replaces, WORKER_ROW_NONE);
        assert_int_equal(turn.rows.items[replacement].purpose, WORKER_SERVE);
        turn_clear(&turn);
}

/* Whether it is given up is known only when that is carried out: a turn after the other would ask for it in vain. */
static void who_may_be_ready_is_given_up_without_another_turn(void **state)
{
        struct turn turn = make_turn();
        uint32_t worker = add(&turn, WORKER_READY, WORKER_SERVE);
        const struct launch launch = {.purpose = WORKER_REPLACE, .count = 1, .reason = "recycle", .replaces = worker};

        (void)state;
        assert_int_equal(turn_launch(&turn, &launch), 1);
        turn.again = false;
        turn_give_up(&turn, turn.rows.items[worker].replacement, 1000, "late");
        assert_int_equal(turn.orders.items[turn.orders.count - 1].kind, ORDER_GIVE_UP);
        assert_false(turn.again);
        turn_clear(&turn);
}

static void launches_know_their_limits(void **state)
{
        struct turn turn = make_turn();
        struct launch launch = {.purpose = WORKER_SERVE, .count = 8, .reason = "scale", .why = "start"};

        (void)state;
        for (int i = 0; i < 4; i++)
                add(&turn, WORKER_RETIRING, WORKER_SERVE);
        /* Crowded: the end of one is a turn of its own, so that this one need not be repeated. */
        assert_int_equal(turn_launch(&turn, &launch), 6);
        assert_int_equal(turn_launch(&turn, &launch), 0);
        assert_int_equal(turn.orders.count, 1);
        assert_false(turn.again);
        assert_string_equal(orders_text(&turn.orders, &turn.orders.items[0]), "start");
        /* Enough for one turn of the loop. */
        turn.process_limit = 1000;
        launch.count = TURN_LAUNCHES;
        assert_int_equal(turn_launch(&turn, &launch), TURN_LAUNCHES - 6);
        assert_true(turn.again);
        assert_int_equal(turn_launch(&turn, &launch), 0);
        turn_clear(&turn);
}

static void what_cannot_be_remembered_is_not_ordered(void **state)
{
        struct turn turn = make_turn();
        uint32_t worker = add(&turn, WORKER_READY, WORKER_SERVE);
        struct closing_row closing = {0};
        const struct launch launch = {.purpose = WORKER_SERVE, .count = TURN_LAUNCHES + 1, .reason = "scale"};

        (void)state;
        turn.process_limit = 1000;
        turn.closing = &closing;
        turn.closing_count = 1;
        turn.orders.count = turn.orders.capacity = NO_MEMORY;
        assert_int_equal(turn_launch(&turn, &launch), 0);
        turn_retire(&turn, worker, "roll");
        turn_let_go(&turn, worker, "recycled");
        turn_feed(&turn, worker, WORKER_EVENT_STOP_NOW);
        turn_close(&turn, 0);
        turn_note_queue(&turn, 0);
        turn_record(&turn, ORDER_RECORD, 0, "something");
        assert_int_equal(turn.orders.count, NO_MEMORY);
        assert_int_equal(turn.rows.count, 1);
        assert_true(worker_life_is_open(&turn.rows.items[worker].life));
        assert_int_equal(turn.rows.items[worker].recycling, RECYCLE_NONE);
        assert_false(closing.closed || closing.waited_ms > 0);
        /* The turn is taken again, and not at once. */
        assert_in_range(turn.next_ms, 1001, 2000);
        assert_false(turn.again);
        assert_int_equal(worker_rows_reserve(&turn.rows, UINT32_MAX), -ENOMEM);
        turn.orders.count = turn.orders.capacity = 0;
        turn_clear(&turn);
}

static void memory_is_kept_from_turn_to_turn(void **state)
{
        struct turn turn = make_turn();

        (void)state;
        add(&turn, WORKER_READY, WORKER_SERVE);
        turn_record(&turn, ORDER_RECORD, 0, "%s", "something");
        turn_record(&turn, ORDER_RECORD, 0, "%s", "else");
        assert_string_equal(orders_text(&turn.orders, &turn.orders.items[0]), "something");
        assert_string_equal(orders_text(&turn.orders, &turn.orders.items[1]), "else");
        const void *rows = turn.rows.items, *orders = turn.orders.items;
        turn_begin(&turn, 2000, 3);
        assert_ptr_equal(turn.rows.items, rows);
        assert_ptr_equal(turn.orders.items, orders);
        assert_int_equal(turn.rows.count + turn.orders.count + turn.rows.counts.total, 0);
        assert_int_equal(turn.rows.generation, 3);
        turn_clear(&turn);
        assert_null(turn.rows.items);
}

static void purposes_have_names(void **state)
{
        (void)state;
        for (enum worker_purpose a = 0; a < WORKER_PURPOSE_COUNT; a++)
                for (enum worker_purpose b = 0; b < a; b++)
                        assert_string_not_equal(worker_purpose_name(a), worker_purpose_name(b));
        assert_string_equal(worker_purpose_name(WORKER_PURPOSE_COUNT), "unknown");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(counts_follow_every_change),
                cmocka_unit_test(one_that_is_stopped_is_not_spare),
                cmocka_unit_test(a_replacement_is_linked_and_let_go_of),
                cmocka_unit_test(who_may_be_ready_is_given_up_without_another_turn),
                cmocka_unit_test(launches_know_their_limits),
                cmocka_unit_test(what_cannot_be_remembered_is_not_ordered),
                cmocka_unit_test(memory_is_kept_from_turn_to_turn),
                cmocka_unit_test(purposes_have_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
