#include <linux/futex.h>
#include <sys/time.h>

#include "unit/board_helpers.h"

static uint32_t flag(const struct fixture *fixture, enum prefork_wake reason)
{
        return fixture->board->wake[reason];
}

/* Clear every wake flag, as the master does before it recounts. Returns the flags that were set, one bit each. */
static unsigned clear_flags(const struct fixture *fixture)
{
        unsigned set = 0;

        for (unsigned reason = 0; reason < PREFORK_WAKE_COUNT; reason++)
                set |= atomic_exchange(&fixture->board->wake[reason], 0) ? 1U << reason : 0;
        return set;
}

static void test_attach_checks_the_layout(void **state)
{
        struct fixture *fixture = *state;
        struct prefork_scoreboard *board = fixture->board;
        struct slot slot;

        assert_int_equal(slot_attach(&slot, board, PREFORK_SCOREBOARD_SLOTS, -1), -ERANGE);
        assert_int_equal(slot_attach(&slot, board, UINT32_MAX, -1), -ERANGE);
        assert_int_equal(slot_attach(&slot, board, PREFORK_SCOREBOARD_SLOTS - 1, -1), 0);
        assert_ptr_equal(slot.words, &board->slots[PREFORK_SCOREBOARD_SLOTS - 1]);
        board->magic++;
        assert_int_equal(slot_attach(&slot, board, 0, -1), -EPROTO);
        board->magic--;
        board->version++;
        assert_int_equal(slot_attach(&slot, board, 0, -1), -EPROTO);
        board->version--;
        board->slot_bytes--;
        assert_int_equal(slot_attach(&slot, board, 0, -1), -EPROTO);
        board->slot_bytes++;
        board->slot_count *= 2;
        assert_int_equal(slot_attach(&slot, board, 0, -1), -EPROTO);
        board->slot_count /= 2;
        assert_int_equal(slot_attach(&slot, board, 0, -1), 0);
}

/* The master does not look by itself: a wake-up that could not be written must not pass for one that was. */
static void test_a_wake_up_that_fails_is_not_the_last(void **state)
{
        struct fixture *fixture = *state;
        struct slot deaf = attach(fixture, 3), other = attach(fixture, 4);

        deaf.wake_fd = -1;
        slot_ready(&deaf, 1000);
        assert_int_equal(flag(fixture, PREFORK_WAKE_READY), 0);
        slot_ready(&other, 2000);
        assert_int_equal(clear_flags(fixture), 1U << PREFORK_WAKE_READY);
        assert_int_equal(take_wakes(fixture), 1);
}

static uint64_t level_busy_ns(const struct fixture *fixture, unsigned level)
{
        return fixture->board->slots[level - 1].level_busy_ns;
}

static void test_levels_are_noted(void **state)
{
        struct fixture *fixture = *state;
        struct slot first = attach(fixture, 3), second = attach(fixture, 70);

        slot_ready(&first, 1000);
        slot_ready(&second, 1000);
        slot_busy(&first, 2000);
        slot_idle(&first, 3000);
        assert_int_equal(level_busy_ns(fixture, 1), 0); /* nobody asks */

        fixture->board->levels = PREFORK_LEVELS_STAMPED;
        fixture->board->reporting = 2;
        slot_busy(&first, 4000);
        assert_int_equal(level_busy_ns(fixture, 1), 4000);
        slot_busy(&second, 5000);
        assert_int_equal(level_busy_ns(fixture, 2), 5000);
        slot_idle(&first, 6000);
        assert_int_equal(level_busy_ns(fixture, 2), 6000);
        assert_int_equal(level_busy_ns(fixture, 1), 4000);
        slot_idle(&second, 7000);
        assert_int_equal(level_busy_ns(fixture, 1), 7000);
}

static uint64_t level_work_us(const struct fixture *fixture, unsigned level)
{
        return fixture->board->slots[level - 1].level_work_us;
}

static void test_work_is_that_of_the_level_at_which_it_begins(void **state)
{
        struct fixture *fixture = *state;
        struct slot first = attach(fixture, 3), second = attach(fixture, 70);

        slot_ready(&first, 1000);
        slot_ready(&second, 1000);
        slot_busy(&first, 2000);
        fixture->board->levels = PREFORK_LEVELS_KNOWN; /* too late for the first */
        slot_busy(&second, 3000);
        slot_done(&first, 9000, 0, 0);
        assert_int_equal(level_work_us(fixture, 1), 0);
        slot_idle(&first, 10000);
        slot_hold(&first, 11000);
        slot_busy(&first, 12000);
        slot_done(&second, 1003000, 0, 0);
        slot_idle(&second, 1004000);
        slot_done(&first, 2012000, 0, 0);
        slot_idle(&first, 2013000);
        assert_int_equal(level_work_us(fixture, 1), 0);
        assert_int_equal(level_work_us(fixture, 2), 1000 + 2000);
        slot_throttle(&first, 3000000);
        slot_busy(&first, 3000000);
        slot_done(&first, 3007000, 0, 0);
        slot_idle(&first, 3008000);
        assert_int_equal(level_work_us(fixture, 1), 7);
}

/* Many may begin to serve before the master has counted them. */
static void test_a_new_worker_counts_at_once(void **state)
{
        struct fixture *fixture = *state;
        struct slot first = attach(fixture, 3), second = attach(fixture, 70);

        fixture->board->levels = PREFORK_LEVELS_KNOWN;
        slot_ready(&first, 2000);
        slot_join(&second, 2000);
        assert_int_equal(fixture->board->reporting, 2);
        slot_busy(&second, 3000);
        slot_busy(&first, 3000);
        assert_int_equal(first.words->level, 2);
        assert_int_equal(second.words->level, 1);
        assert_int_equal(level_busy_ns(fixture, 1), 0); /* which nobody wants to know */
}

/* Whoever writes to the scoreboard may have written that, too. */
static void test_levels_that_cannot_be_are_not_noted(void **state)
{
        struct fixture *fixture = *state;
        struct slot slot = attach(fixture, 3);

        fixture->board->levels = PREFORK_LEVELS_STAMPED;
        fixture->board->reporting = UINT32_MAX - 1;
        slot_ready(&slot, 1000);
        slot_busy(&slot, 2000);
        fixture->board->reporting = PREFORK_SCOREBOARD_SLOTS;
        slot_idle(&slot, 3000);
        assert_int_equal(level_busy_ns(fixture, PREFORK_SCOREBOARD_SLOTS), 3000);
        fixture->board->reporting = 1;
        slot_busy(&slot, 4000);
        slot_idle(&slot, 5000);
        assert_int_equal(level_busy_ns(fixture, 1), 5000);
        slot_hold(&slot, 6000);
        assert_int_equal(level_busy_ns(fixture, 1), 6000);
        slot_busy(&slot, 7000);
        slot.words->level = PREFORK_SCOREBOARD_SLOTS + 1;
        slot_done(&slot, 9000, 0, 0);
        slot.words->level = UINT32_MAX;
        slot_done(&slot, 9000, 0, 0);
}

static void test_ready(void **state)
{
        struct fixture *fixture = *state;
        struct slot first = attach(fixture, 3), second = attach(fixture, 70);

        slot_ready(&first, 1000);
        assert_true(idle_set_has(fixture->board, 3));
        assert_int_equal(first.words->activity, PREFORK_IDLE);
        assert_int_equal(first.words->activity_since_ns, 1000);
        assert_int_equal(clear_flags(fixture), 1U << PREFORK_WAKE_READY);
        assert_int_equal(take_wakes(fixture), 1);

        fixture->board->wake[PREFORK_WAKE_READY] = 1; /* the master has been woken already */
        slot_ready(&second, 2000);
        assert_true(idle_set_has(fixture->board, 70));
        assert_int_equal(take_wakes(fixture), 0);
        assert_int_equal(second.words->requests_begun, 0);
}

static void test_idle_wakes_above_the_threshold(void **state)
{
        struct fixture *fixture = *state;
        struct slot slots[4] = {attach(fixture, 0), attach(fixture, 63), attach(fixture, 64), attach(fixture, 200)};

        fixture->board->high_above = 2;
        slot_idle(&slots[0], 1);
        slot_idle(&slots[1], 2); /* as many as may be idle */
        assert_int_equal(clear_flags(fixture), 0);
        assert_int_equal(take_wakes(fixture), 0);
        slot_idle(&slots[2], 3);
        assert_int_equal(flag(fixture, PREFORK_WAKE_HIGH), 1);
        slot_idle(&slots[3], 4); /* no second wake-up until the master clears the flag */
        assert_int_equal(take_wakes(fixture), 1);
        assert_int_equal(clear_flags(fixture), 1U << PREFORK_WAKE_HIGH);

        slot_busy(&slots[3], 5);
        slot_idle(&slots[3], 6); /* still above, and the flag was cleared */
        assert_int_equal(clear_flags(fixture), 1U << PREFORK_WAKE_HIGH);
        assert_int_equal(take_wakes(fixture), 1);

        fixture->board->high_above = UINT32_MAX; /* the master's timer runs */
        slot_busy(&slots[3], 7);
        slot_idle(&slots[3], 8);
        assert_int_equal(clear_flags(fixture), 0);
}

static void test_busy_wakes_below_the_threshold(void **state)
{
        struct fixture *fixture = *state;
        struct slot slots[3] = {attach(fixture, 0), attach(fixture, 1), attach(fixture, 2)};

        for (unsigned i = 0; i < 3; i++)
                slot_idle(&slots[i], 1);
        fixture->board->low_below = 2;
        fixture->board->low_water = 3;
        slot_busy(&slots[0], 50);
        assert_false(idle_set_has(fixture->board, 0));
        assert_int_equal(slots[0].words->activity, PREFORK_BUSY);
        assert_int_equal(slots[0].words->activity_since_ns, 50);
        assert_int_equal(slots[0].words->requests_begun, 1);
        assert_int_equal(clear_flags(fixture), 0); /* two idle: not below two */
        slot_busy(&slots[1], 60);
        assert_int_equal(clear_flags(fixture), 1U << PREFORK_WAKE_LOW);
        assert_int_equal(take_wakes(fixture), 1);
        fixture->board->low_below = 0; /* at max_workers: disarmed */
        slot_busy(&slots[2], 70);
        assert_int_equal(clear_flags(fixture), 0);
        assert_int_equal(take_wakes(fixture), 0);
}

static void test_low_water_only_falls(void **state)
{
        struct fixture *fixture = *state;
        struct slot first = attach(fixture, 0), second = attach(fixture, 1);

        fixture->board->low_water = 2;
        slot_idle(&first, 1);
        slot_idle(&second, 1);
        assert_int_equal(fixture->board->low_water, 2);
        slot_busy(&first, 2);
        assert_int_equal(fixture->board->low_water, 1);
        slot_busy(&second, 3);
        assert_int_equal(fixture->board->low_water, 0);
        slot_idle(&first, 4);
        slot_idle(&second, 4);
        slot_busy(&first, 5);
        assert_int_equal(fixture->board->low_water, 0);
        fixture->board->low_water = 2; /* the master begins a new period */
        slot_idle(&first, 6);
        slot_busy(&first, 7);
        assert_int_equal(fixture->board->low_water, 1);
}

static void test_busy_on_request(void **state)
{
        struct fixture *fixture = *state;
        struct slot slot = attach(fixture, 5);

        slot_idle(&slot, 1);
        slot_busy(&slot, 2);
        assert_int_equal(clear_flags(fixture), 0);
        fixture->board->notify_busy = 1;
        slot_idle(&slot, 3);
        slot_busy(&slot, 4);
        assert_int_equal(clear_flags(fixture), 1U << PREFORK_WAKE_BUSY);
        assert_int_equal(take_wakes(fixture), 1);
}

static void test_done_counts(void **state)
{
        struct fixture *fixture = *state;
        struct slot slot = attach(fixture, 5);
        struct prefork_slot *words = slot.words;

        slot_idle(&slot, 0);
        slot_busy(&slot, 1000000);
        slot_done(&slot, 1000000 + 5000, 3 << 8, 70); /* exit code 3 after 5 µs */
        assert_int_equal(words->requests_begun, 1);
        assert_int_equal(words->requests_ended, 1);
        assert_int_equal(words->busy_ns, 5000);
        assert_int_equal(words->handler_cpu_us, 70);
        assert_int_equal(words->handler_status, 3 << 8);
        assert_int_equal(words->handler_deaths, 0);
        assert_int_equal(words->handler_failures, 1);
        assert_int_equal(words->durations[3], 1);
        assert_false(idle_set_has(fixture->board, 5));

        slot_busy(&slot, 2000000);
        slot_done(&slot, 1999999, SIGSEGV | 0x80, 30); /* a clock that went back; a core dump */
        assert_int_equal(words->busy_ns, 5000);
        assert_int_equal(words->durations[0], 1);
        assert_int_equal(words->handler_cpu_us, 100);
        assert_int_equal(words->handler_deaths, 1);
        assert_int_equal(words->handler_crashes, 1);
        assert_int_equal(words->handler_status, SIGSEGV | 0x80);

        slot_busy(&slot, 3000000);
        slot_done(&slot, 3000000, SIGKILL, 0);
        assert_int_equal(words->handler_deaths, 2);
        assert_int_equal(words->handler_crashes, 1);
        assert_int_equal(words->handler_failures, 1);
        slot_busy(&slot, 4000000);
        slot_done(&slot, 4000000, 0, 0);
        assert_int_equal(words->handler_failures, 1);
        assert_int_equal(words->requests_ended, 4);
        assert_int_equal(words->requests_begun, 4);
}

static void test_ending(void **state)
{
        struct fixture *fixture = *state;
        struct slot slot = attach(fixture, 9);

        slot_ready(&slot, 1);
        slot_ending(&slot);
        assert_int_equal(slot.words->activity, PREFORK_ENDING);
        assert_false(idle_set_has(fixture->board, 9));
        assert_int_equal(idle_set_count(fixture->board), 0);
}

/* If the pipe is full the write fails; the worker must neither block nor lose the flag. */
static void test_wake_never_blocks(void **state)
{
        struct fixture *fixture = *state;
        struct slot slot = attach(fixture, 0);
        uint64_t full = 0;

        while (write(fixture->wake_fds[1], "x", 1) == 1)
                full++;
        slot_wake(&slot, PREFORK_WAKE_LOW);
        assert_int_equal(flag(fixture, PREFORK_WAKE_LOW), 1);
        assert_true(take_wakes(fixture) == full);
}

static void test_buckets(void **state)
{
        static const struct {
                uint64_t ns;
                unsigned bucket;
        } cases[] = {
                {0, 0},
                {999, 0},
                {1000, 1},
                {1999, 1},
                {2000, 2},
                {3999, 2},
                {4000, 3},
                {7999, 3},
                {8000, 4},
                {999999, 10},
                {1000000, 10},
                {1024000, 11},
                {1000000000, 20},
                {60000000000, 26},
                {(1ULL << 30) * 1000 - 1, 30},
                {(1ULL << 30) * 1000, 31},
                {(1ULL << 31) * 1000, 31},
                {UINT64_MAX, 31},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_int_equal(slot_duration_bucket(cases[i].ns), cases[i].bucket);
        for (unsigned bucket = 0; bucket < PREFORK_DURATION_BUCKETS - 1; bucket++) {
                assert_int_equal(slot_duration_bucket((1ULL << bucket) * 1000 - 1), bucket);
                assert_int_equal(slot_duration_bucket((1ULL << bucket) * 1000), bucket + 1);
        }
}

static void test_recycle_question(void **state)
{
        struct fixture *fixture = *state;
        struct slot slot = attach(fixture, 0);

        slot.words->answer = PREFORK_ANSWER_LATER; /* to an earlier question */
        slot_ask_recycle(&slot, PREFORK_RECYCLE_REQUESTS);
        assert_int_equal(slot.words->recycle, PREFORK_RECYCLE_REQUESTS);
        assert_int_equal(slot.words->answer, PREFORK_ANSWER_NONE);
        assert_int_equal(clear_flags(fixture), 1U << PREFORK_WAKE_RECYCLE);
        assert_int_equal(take_wakes(fixture), 1);
        slot_ask_recycle(&slot, PREFORK_RECYCLE_MEMORY); /* asked already */
        assert_int_equal(slot.words->recycle, PREFORK_RECYCLE_REQUESTS);
        assert_int_equal(clear_flags(fixture), 0);

        slot.words->answer = PREFORK_ANSWER_LATER;
        assert_int_equal(slot_wait_recycle(&slot, DEADLINE_MS), PREFORK_ANSWER_LATER);
        assert_int_equal(slot.words->recycle, PREFORK_RECYCLE_NONE);
        slot_ask_recycle(&slot, PREFORK_RECYCLE_MEMORY); /* and may ask anew */
        assert_int_equal(slot.words->recycle, PREFORK_RECYCLE_MEMORY);
        assert_int_equal(clear_flags(fixture), 1U << PREFORK_WAKE_RECYCLE);
        slot.words->answer = PREFORK_ANSWER_GO;
        assert_int_equal(slot_wait_recycle(&slot, DEADLINE_MS), PREFORK_ANSWER_GO);
}

static void test_recycle_timeout(void **state)
{
        struct fixture *fixture = *state;
        struct slot slot = attach(fixture, 0);

        slot_ask_recycle(&slot, PREFORK_RECYCLE_REQUESTS);
        uint64_t start_ns = test_now_ns();
        assert_int_equal(slot_wait_recycle(&slot, 30), PREFORK_ANSWER_NONE);
        assert_true(test_now_ns() - start_ns >= 30000000);
        assert_int_equal(slot.words->activity, PREFORK_WAITING);
        assert_int_equal(slot.words->recycle,
                         PREFORK_RECYCLE_REQUESTS); /* the question stays, for a master that wakes up */
        start_ns = test_now_ns();
        assert_int_equal(slot_wait_recycle(&slot, 0), PREFORK_ANSWER_NONE);
        assert_true(test_now_ns() - start_ns < 30000000);
        slot.words->answer = PREFORK_ANSWER_GO;
        assert_int_equal(slot_wait_recycle(&slot, 0), PREFORK_ANSWER_GO);
}

static void on_alarm(int number)
{
        (void)number;
}

/* The retire signal interrupts the wait, so that the worker can check its door; the question stays open. */
static void test_recycle_interrupted(void **state)
{
        struct fixture *fixture = *state;
        struct slot slot = attach(fixture, 0);
        const struct sigaction action = {.sa_handler = on_alarm};
        /* Repeat the signal, because the first may come before the wait begins. */
        const struct itimerval soon = {.it_value.tv_usec = 20000, .it_interval.tv_usec = 20000};
        const struct itimerval never = {0};

        slot_ask_recycle(&slot, PREFORK_RECYCLE_REQUESTS);
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &soon, NULL);
        uint64_t start_ms = test_now_ms();
        enum prefork_answer answer = slot_wait_recycle(&slot, DEADLINE_MS);
        setitimer(ITIMER_REAL, &never, NULL);
        assert_int_equal(answer, PREFORK_ANSWER_NONE);
        assert_true(test_now_ms() - start_ms < DEADLINE_MS);
        assert_int_equal(slot.words->recycle, PREFORK_RECYCLE_REQUESTS);
}

static int answer_when_waiting(void *context)
{
        struct prefork_slot *words = context;
        uint64_t end_ms = test_now_ms() + DEADLINE_MS;

        while (words->activity != PREFORK_WAITING && test_now_ms() < end_ms)
                sched_yield();
        wait_until_asleep(getppid());
        words->answer = PREFORK_ANSWER_GO;
        syscall(SYS_futex, &words->answer, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
        return 0;
}

static void test_recycle_answered_by_another_process(void **state)
{
        struct fixture *fixture = *state;
        struct slot slot = attach(fixture, 0);

        slot_ask_recycle(&slot, PREFORK_RECYCLE_REQUESTS);
        pid_t master = child_start(answer_when_waiting, slot.words);
        uint64_t start_ms = test_now_ms();
        enum prefork_answer answer = slot_wait_recycle(&slot, 4 * DEADLINE_MS);
        uint64_t took_ms = test_now_ms() - start_ms;
        assert_int_equal(child_wait(master, DEADLINE_MS), 0);
        assert_int_equal(answer, PREFORK_ANSWER_GO);
        assert_true(took_ms < UINT64_C(2) * DEADLINE_MS); /* woken, not timed out */
}

static void test_source_limit(void **state)
{
        struct fixture *fixture = *state;
        struct slot slots[5];

        for (uint32_t i = 0; i < 5; i++)
                slots[i] = attach(fixture, i * 40);
        assert_true(slot_enter_source(&slots[0], 77)); /* no limit: nothing is drawn */
        assert_int_equal(slots[0].words->source, 0);
        assert_int_equal(fixture->board->tickets, 0);

        fixture->board->max_connections_per_source = 2;
        assert_true(slot_enter_source(&slots[0], 77));
        assert_true(slot_enter_source(&slots[1], 77));
        assert_true(slot_enter_source(&slots[2], 78)); /* another client */
        assert_true(slot_enter_source(&slots[3], 0));  /* UNIX peers are not limited */
        assert_false(slot_enter_source(&slots[4], 77));
        assert_int_equal(slots[4].words->refused, 1);
        assert_int_equal(slots[4].words->source, 0); /* a refused connection is not counted */
        assert_false(slot_enter_source(&slots[3], 77));
        slot_leave_source(&slots[0]);
        assert_true(slot_enter_source(&slots[4], 77));
        assert_false(slot_enter_source(&slots[0], 77));
        assert_int_equal(slots[4].words->refused, 1);
}

/* Slots above slot_limit were never used; a limit that a bad worker wrote does no harm. */
static void test_source_limit_bounds(void **state)
{
        struct fixture *fixture = *state;
        struct slot first = attach(fixture, 0), second = attach(fixture, 10);

        fixture->board->max_connections_per_source = 1;
        assert_true(slot_enter_source(&first, 5));
        fixture->board->slot_limit = UINT32_MAX;
        assert_false(slot_enter_source(&second, 5));
}

/* A worker was killed between storing its source and its ticket. The limit holds, no other worker waits long, and all
 * is normal again when its slot is cleared. */
static void test_source_of_a_dead_worker(void **state)
{
        struct fixture *fixture = *state;
        struct slot slot = attach(fixture, 0);

        fixture->board->max_connections_per_source = 1;
        fixture->board->slots[7].source = 99;
        uint64_t start_ms = test_now_ms();
        assert_false(slot_enter_source(&slot, 99));
        assert_true(test_now_ms() - start_ms < DEADLINE_MS);
        fixture->board->slots[7].source = 0;
        assert_true(slot_enter_source(&slot, 99));
}

/* A worker that holds a connection for the pool's rate is a spare one. */
static void test_throttle(void **state)
{
        struct fixture *fixture = *state;
        struct slot slot = attach(fixture, 3);

        slot_ready(&slot, 1);
        slot_throttle(&slot, 5);
        assert_int_equal(slot.words->activity, PREFORK_THROTTLED);
        assert_int_equal(slot.words->activity_since_ns, 5);
        assert_int_equal(slot.words->throttled, 1);
        assert_true(idle_set_has(fixture->board, 3));
        slot_busy(&slot, 6);
        assert_false(idle_set_has(fixture->board, 3));
        slot_done(&slot, 7, 0, 0);
        slot_idle(&slot, 8);
        slot_hold(&slot, 9); /* its PROXY header */
        assert_false(idle_set_has(fixture->board, 3));
        slot_throttle(&slot, 10);
        assert_true(idle_set_has(fixture->board, 3));
        assert_int_equal(slot.words->throttled, 2);
        slot_refused_rate(&slot);
        assert_int_equal(slot.words->refused_rate, 1);
}

#define WITH_BOARD(test) cmocka_unit_test_setup_teardown(test, board_setup, board_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_BOARD(test_attach_checks_the_layout),
                WITH_BOARD(test_a_wake_up_that_fails_is_not_the_last),
                WITH_BOARD(test_levels_are_noted),
                WITH_BOARD(test_a_new_worker_counts_at_once),
                WITH_BOARD(test_work_is_that_of_the_level_at_which_it_begins),
                WITH_BOARD(test_levels_that_cannot_be_are_not_noted),
                WITH_BOARD(test_ready),
                WITH_BOARD(test_idle_wakes_above_the_threshold),
                WITH_BOARD(test_busy_wakes_below_the_threshold),
                WITH_BOARD(test_low_water_only_falls),
                WITH_BOARD(test_busy_on_request),
                WITH_BOARD(test_done_counts),
                WITH_BOARD(test_ending),
                WITH_BOARD(test_wake_never_blocks),
                cmocka_unit_test(test_buckets),
                WITH_BOARD(test_recycle_question),
                WITH_BOARD(test_recycle_timeout),
                WITH_BOARD(test_recycle_interrupted),
                WITH_BOARD(test_recycle_answered_by_another_process),
                WITH_BOARD(test_source_limit),
                WITH_BOARD(test_source_limit_bounds),
                WITH_BOARD(test_source_of_a_dead_worker),
                WITH_BOARD(test_throttle),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
