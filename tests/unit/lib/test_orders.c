/* Orders to end a request that the worker's own process serves. */
#include "lib/orders.h"
#include "unit/board_helpers.h"

static int interrupt(int signal_number)
{
        (void)signal_number;
        return 0;
}

/* A child that serves a request, and is ordered to end it by all means. */
static int is_killed(void *context)
{
        static const struct orders_target target = {.interrupt = interrupt, .in_process = true};
        struct slot slot = attach(context, 0);

        slot_ready(&slot, test_now_ns());
        slot_busy(&slot, test_now_ns());
        atomic_store(&slot.words->order_request, atomic_load(&slot.words->requests_begun));
        atomic_store(&slot.words->order, PREFORK_ORDER_KILL);
        if (orders_install(&slot, &target) != 0)
                return 1;
        orders_look();
        return 2;
}

/* It is counted, and until the process has gone the worker is busy with it: to a master that looks meanwhile, a worker
 * whose request is over serves on, and its end would be a death. */
static void test_who_ends_with_its_request_is_busy_until_then(void **state)
{
        struct fixture *fixture = *state;
        const struct prefork_slot *slot = &fixture->board->slots[0];

        assert_int_equal(child_wait(child_start(is_killed, fixture), DEADLINE_MS), PREFORK_EXIT_ORDERED);
        assert_int_equal(atomic_load(&slot->requests_ended), 1);
        assert_int_equal(atomic_load(&slot->handler_deaths), 1);
        assert_int_equal(atomic_load(&slot->activity), PREFORK_BUSY);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_who_ends_with_its_request_is_busy_until_then, board_setup,
                                                board_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
