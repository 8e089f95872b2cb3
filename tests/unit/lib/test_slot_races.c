/* Races between several processes on one scoreboard. */
#include "base/cleanup.h"
#include "unit/board_helpers.h"

#define FLIPPERS 8
#define WAKES_MIN 20 /* also on a busy machine */
#define RACE_MS 1500 /* how long each race is run */

struct race {
        _Atomic uint32_t stop;
        _Atomic uint32_t go, done;       /* rounds */
        _Atomic uint32_t seen[FLIPPERS]; /* transitions of a worker that the master has noticed */
        _Atomic uint32_t served[FLIPPERS];
        uint32_t racers, rounds, too_many, too_few;
        uint64_t end_ms;
        const struct fixture *fixture;
};

struct racer {
        struct race *race;
        uint32_t index;
};

/* --- killed at any instruction ------------------------------------------------------------------------------------ */

static int flip(void *context)
{
        const struct racer *racer = context;
        struct slot slot = attach(racer->race->fixture, racer->index * 17);

        slot_ready(&slot, 1);
        while (!racer->race->stop) {
                slot_busy(&slot, 2);
                slot_done(&slot, 3, 0, 0);
                slot_idle(&slot, 4);
        }
        if (racer->index % 2)
                slot_busy(&slot, 5);
        return 0;
}

/* Clear a dead worker's slot, as the master does. */
static bool clear_slot(struct prefork_scoreboard *board, uint32_t index)
{
        return idle_set_remove(board, index);
}

static void test_kill_9_leaves_no_drift(void **state)
{
        struct fixture *fixture = *state;
        struct race *race = shared_new(sizeof(*race));
        struct racer racers[FLIPPERS];
        pid_t pids[FLIPPERS];
        unsigned seed = 1, kills = 0, found_idle = 0;
        uint64_t end_ms = test_now_ms() + RACE_MS;

        race->fixture = fixture;
        fixture->board->slot_limit = FLIPPERS * 17;
        fixture->board->low_below = 3;
        fixture->board->high_above = 4;
        for (uint32_t i = 0; i < FLIPPERS; i++) {
                racers[i] = (struct racer){.race = race, .index = i};
                pids[i] = child_start(flip, &racers[i]);
        }
        while (test_now_ms() < end_ms || kills < 100) {
                unsigned i = (unsigned)rand_r(&seed) % FLIPPERS;
                test_sleep_us((unsigned)rand_r(&seed) % 500);
                kill(pids[i], SIGKILL);
                assert_int_equal(child_wait(pids[i], DEADLINE_MS), -SIGKILL);
                found_idle += clear_slot(fixture->board, i * 17);
                kills++;
                assert_false(idle_set_has(fixture->board, i * 17));
                assert_true(idle_set_count(fixture->board) <= FLIPPERS - 1);
                pids[i] = child_start(flip, &racers[i]);
        }
        race->stop = 1;
        for (uint32_t i = 0; i < FLIPPERS; i++)
                assert_int_equal(child_wait(pids[i], DEADLINE_MS), 0);
        for (uint32_t i = 0; i < FLIPPERS; i++)
                assert_int_equal(idle_set_has(fixture->board, i * 17), i % 2 == 0);
        assert_int_equal(idle_set_count(fixture->board), FLIPPERS / 2);
        print_message("%u kills, %u of them of workers in the set\n", kills, found_idle);
        assert_true(found_idle > 0 && found_idle < kills); /* both cases happened */
}

/* --- no lost wake-up ---------------------------------------------------------------------------------------------- */

/* In each round the worker joins the set and wakes the master, while the master clears the flag and recounts.
 * Afterwards either the count includes the worker or the flag is set again, which means that the master was woken. */
static int join_and_wake(void *context)
{
        const struct racer *racer = context;
        struct slot slot = attach(racer->race->fixture, 0);

        for (uint32_t round = 1; spin_until(&racer->race->go, round) && !racer->race->stop; round++) {
                slot_ready(&slot, round);
                racer->race->done = round;
        }
        return 0;
}

static void test_clear_then_recount_loses_nothing(void **state)
{
        enum { ROUNDS = 300000 };
        struct fixture *fixture = *state;
        struct prefork_scoreboard *board = fixture->board;
        struct race *race = shared_new(sizeof(*race));
        struct racer racer = {.race = race};
        uint32_t round = 0, lost = 0, counted = 0, delay = 0;

        race->fixture = fixture;
        board->slot_limit = 1;
        pid_t worker = child_start(join_and_wake, &racer);
        for (uint64_t end_ms = test_now_ms() + RACE_MS; round < ROUNDS && test_now_ms() < end_ms;) {
                idle_set_remove(board, 0);
                board->wake[PREFORK_WAKE_READY] = 1; /* an earlier wake-up that is not handled yet */
                race->go = ++round;
                for (volatile uint32_t i = 0; i < delay;)
                        i = i + 1;
                atomic_exchange(&board->wake[PREFORK_WAKE_READY], 0);
                uint32_t idle = idle_set_count(board);
                assert_true(spin_until(&race->done, round));
                lost += idle == 0 && board->wake[PREFORK_WAKE_READY] == 0;
                counted += idle;
                /* Adjust the delay so that both happen at the same time. */
                delay = idle ? delay - (delay > 0) : MIN_OF(delay + 1, 10000);
        }
        race->stop = 1;
        race->go = round + 1;
        assert_int_equal(child_wait(worker, DEADLINE_MS), 0);
        print_message("%u rounds, the worker first in %u\n", round, counted);
        assert_int_equal(lost, 0);
        assert_true(round > 0); /* only few on a busy machine */
}

/* The master, which looks at any moment, takes nobody for busy who has just begun, and counts nobody who has not. */
static void test_who_is_ready_is_idle_and_counted(void **state)
{
        enum { ROUNDS = 300000 };
        struct fixture *fixture = *state;
        struct prefork_scoreboard *board = fixture->board;
        struct race *race = shared_new(sizeof(*race));
        struct racer racer = {.race = race};
        uint32_t round = 0, busy = 0, uncounted = 0;

        race->fixture = fixture;
        board->slot_limit = 1;
        pid_t worker = child_start(join_and_wake, &racer);
        for (uint64_t end_ms = test_now_ms() + RACE_MS; round < ROUNDS && test_now_ms() < end_ms;) {
                idle_set_remove(board, 0);
                board->slots[0].activity = PREFORK_STARTING;
                board->reporting = 0;
                race->go = ++round;
                while (board->slots[0].activity == PREFORK_STARTING && race->done != round)
                        ;
                uncounted += board->reporting == 0;
                busy += !idle_set_has(board, 0);
                assert_true(spin_until(&race->done, round));
        }
        race->stop = 1;
        race->go = round + 1;
        assert_int_equal(child_wait(worker, DEADLINE_MS), 0);
        assert_int_equal(busy, 0);
        assert_int_equal(uncounted, 0);
        assert_true(round > 0);
}

static int start_and_accept(void *context)
{
        const struct racer *racer = context;
        struct race *race = racer->race;
        struct slot slot = attach(race->fixture, 0);

        race->go = 1;
        for (volatile uint32_t i = 0; i < racer->index; i++)
                ;
        while (racer->index == 0 && slot.words->activity == PREFORK_STARTING)
                sched_yield(); /* some are late on every machine */
        slot_ready(&slot, 1);
        race->served[0] = 1;
        return 3;
}

/* A worker that is given up because it starts too slowly has not begun to accept, and does not. */
static void test_who_is_given_up_accepts_nothing(void **state)
{
        enum { STEPS = 400 };
        struct fixture *fixture = *state;
        struct prefork_scoreboard *board = fixture->board;
        struct race *race = shared_new(sizeof(*race));
        unsigned given_up = 0, rounds = 0;

        board->slot_limit = 1;
        for (uint64_t end_ms = test_now_ms() + RACE_MS; test_now_ms() < end_ms; rounds++) {
                _Atomic uint32_t *activity = &board->slots[0].activity;
                struct racer racer = {.race = race, .index = rounds % STEPS};
                uint32_t starting = PREFORK_STARTING;

                *race = (struct race){.fixture = fixture};
                *activity = PREFORK_STARTING;
                pid_t worker = child_start(start_and_accept, &racer);
                assert_true(spin_until(&race->go, 1));
                for (volatile uint32_t i = 0; i < rounds / STEPS % STEPS; i++)
                        ;
                bool is_late = atomic_compare_exchange_strong(activity, &starting, PREFORK_ENDING);
                if (is_late)
                        kill(worker, SIGKILL);
                int code = child_wait(worker, DEADLINE_MS);
                assert_int_equal(race->served[0], !is_late);
                assert_true(is_late ? code != 3 : code == 3);
                idle_set_remove(board, 0);
                given_up += is_late;
        }
        print_message("%u rounds, given up in %u\n", rounds, given_up);
        assert_true(given_up > 0);
}

static int serve_when_seen(void *context)
{
        const struct racer *racer = context;
        struct race *race = racer->race;
        struct slot slot = attach(race->fixture, racer->index * 17);

        for (uint32_t round = 1; !race->stop; round++) {
                slot_ready(&slot, round);
                while (race->seen[racer->index] < round && !race->stop)
                        sched_yield();
                slot_busy(&slot, round);
                race->served[racer->index] = round;
        }
        return 0;
}

/* A master sleeps on the descriptor until it is woken. A worker goes on only when the master has seen it, so after a
 * lost wake-up the master would sleep forever. */
static void wake_master(struct fixture *fixture, uint32_t workers)
{
        struct race *race = shared_new(sizeof(*race));
        struct racer racers[FLIPPERS];
        pid_t pids[FLIPPERS];
        uint32_t wakes = 0;
        bool lost = false;

        race->fixture = fixture;
        fixture->board->slot_limit = FLIPPERS * 17;
        for (uint32_t i = 0; i < workers; i++) {
                racers[i] = (struct racer){.race = race, .index = i};
                pids[i] = child_start(serve_when_seen, &racers[i]);
        }
        for (uint64_t end_ms = test_now_ms() + RACE_MS / 2; (test_now_ms() < end_ms || wakes < WAKES_MIN) && !lost;
             wakes++) {
                struct pollfd poller = {.fd = fixture->wake_fds[0], .events = POLLIN};
                lost = poll(&poller, 1, DEADLINE_MS / 4) != 1;
                take_wakes(fixture);
                atomic_exchange(&fixture->board->wake[PREFORK_WAKE_READY], 0);
                for (uint32_t i = 0; i < workers; i++) /* each is told once: a bit stays until its worker is busy */
                        if (race->seen[i] == race->served[i] && idle_set_has(fixture->board, i * 17))
                                race->seen[i]++;
        }
        race->stop = 1;
        for (uint32_t i = 0; i < workers; i++) {
                assert_int_equal(child_wait(pids[i], DEADLINE_MS), 0);
                idle_set_remove(fixture->board, i * 17);
        }
        print_message("%u workers, %u wake-ups\n", workers, wakes);
        assert_false(lost);
}

static void test_master_asleep_is_woken(void **state)
{
        wake_master(*state, 1);
        wake_master(*state, 3);
}

/* --- connections of one source ------------------------------------------------------------------------------------ */

/* A barrier: wait until all processes have reached it as often as we have. */
static bool meet(struct race *race, uint32_t *meetings)
{
        race->done++;
        return spin_until(&race->done, ++*meetings * race->racers);
}

static void judge(struct race *race)
{
        uint32_t served = 0;

        for (uint32_t i = 0; i < race->racers; i++)
                served += race->served[i];
        race->too_many += served > race->fixture->board->max_connections_per_source;
        race->too_few += served < race->fixture->board->max_connections_per_source;
        race->rounds++;
        race->stop = test_now_ms() > race->end_ms;
}

static int enter_together(void *context)
{
        const struct racer *racer = context;
        struct race *race = racer->race;
        struct slot slot = attach(race->fixture, racer->index * 17);
        unsigned seed = racer->index;
        uint32_t meetings = 0;

        while (!race->stop) {
                if (!meet(race, &meetings))
                        return 1;
                for (volatile uint32_t i = (uint32_t)rand_r(&seed) % 128; i > 0;)
                        i = i - 1;
                bool entered = slot_enter_source(&slot, 4711);
                race->served[racer->index] = entered;
                if (!meet(race, &meetings))
                        return 2;
                if (racer->index == 0)
                        judge(race);
                if (entered)
                        slot_leave_source(&slot);
                if (!meet(race, &meetings))
                        return 3;
        }
        return 0;
}

/* Of several connections that arrive together exactly `limit` are served: more would break the limit, fewer would
 * refuse clients although there is room. */
static void race_for_places(struct fixture *fixture, uint32_t count, uint32_t limit)
{
        struct race *race = shared_new(sizeof(*race));
        struct racer racers[FLIPPERS];
        pid_t pids[FLIPPERS];

        race->fixture = fixture;
        race->racers = count;
        race->end_ms = test_now_ms() + RACE_MS / 2;
        fixture->board->slot_limit = FLIPPERS * 17;
        fixture->board->max_connections_per_source = limit;
        for (uint32_t i = 0; i < count; i++) {
                racers[i] = (struct racer){.race = race, .index = i};
                pids[i] = child_start(enter_together, &racers[i]);
        }
        for (uint32_t i = 0; i < count; i++)
                assert_int_equal(child_wait(pids[i], DEADLINE_MS), 0);
        print_message("%u for %u places: %u rounds, %u with too many, %u with too few\n", count, limit, race->rounds,
                      race->too_many, race->too_few);
        assert_int_equal(race->too_many, 0);
        /* A worker without a processor may not draw its ticket in time; then fewer than `limit` are served. */
        assert_true(race->too_few <= 1 + race->rounds / 2000);
        assert_true(race->rounds > 0);
}

static void test_source_limit_holds(void **state)
{
        race_for_places(*state, 2, 1);
        race_for_places(*state, FLIPPERS, 3);
}

#define WITH_BOARD(test) cmocka_unit_test_setup_teardown(test, board_setup, board_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_BOARD(test_kill_9_leaves_no_drift),           WITH_BOARD(test_clear_then_recount_loses_nothing),
                WITH_BOARD(test_who_is_ready_is_idle_and_counted), WITH_BOARD(test_who_is_given_up_accepts_nothing),
                WITH_BOARD(test_master_asleep_is_woken),           WITH_BOARD(test_source_limit_holds),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
