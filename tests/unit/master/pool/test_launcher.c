/* Launches: of processes that the master forks, and of such whose number comes later, or too late. */
#include "child_helpers.h"
#include "config_helpers.h"

#include "logic/config/config_options.h"
#include "base/log.h"
#include "lib/idle_set.h"
#include "logic/protocol/worker_plan.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "master/pool/deadlines.h"
#include "master/pool/launcher.h"
#include "master/pool/launcher_ops.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/worker.h"
#include "master/pool/worker_output.h"
#include "master/pool/worker_slots.h"
#include "os/clock.h"

static struct {
        struct config config;
        struct evloop *loop;
        struct reaper *reaper;
        struct worker_outputs outputs;
        struct pool_runtime runtime;
        struct pool *pool;
        unsigned turns;
        int log_fd; /* the writing end of the pipe of the last launch */
        pid_t said_by;
        unsigned said;
} world;

/* What the next launch does. */
static int launch_result;
static int (*launch_body)(void *context);

static int exit_7(void *context)
{
        (void)context;
        return 7;
}

static int wait_for_kill(void *context)
{
        (void)context;
        return pause(); /* no handler returns from it */
}

static int launch(struct worker *worker, const struct worker_plan *plan, pid_t *ret_pid)
{
        (void)worker;
        fd_closep(&world.log_fd);
        world.log_fd = dup(plan->log_write_fd);
        if (launch_result == 0)
                *ret_pid = child_start(launch_body, NULL);
        return launch_result;
}

static void note_record(void *context, const struct log_record *record)
{
        (void)context;
        if (record->priority > LOG_WARNING)
                return;
        world.said++;
        world.said_by = record->fields.worker_pid;
}

static const struct launcher_ops ops = {.launch = launch};

static void take_turn(struct pool *pool)
{
        pool_begin_turn(pool);
        world.turns++;
        pool_end_turn(pool, POOL_NEVER_MS);
}

static int setup(void **state)
{
        (void)state;
        alarm(100);
        load_good(&world.config, "f", "[www]\nlisten = 127.0.0.1:1\nhandler = cat\n");
        assert_int_equal(evloop_new(&world.loop), 0);
        assert_int_equal(reaper_new(world.loop, &world.reaper), 0);
        world.outputs = (struct worker_outputs){.loop = world.loop};
        world.runtime = (struct pool_runtime){.loop = world.loop,
                                              .reaper = world.reaper,
                                              .outputs = &world.outputs,
                                              .launcher = &ops,
                                              .master_pid = getpid(),
                                              .turn = take_turn};
        world.turns = 0;
        world.log_fd = -1;
        world.said = 0;
        launch_result = 0;
        launch_body = wait_for_kill;
        return pool_new(&world.runtime, world.config.pools[0], &world.pool);
}

static void await_end(pid_t pid)
{
        siginfo_t info;

        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static pid_t collected_child(void)
{
        pid_t pid = child_start(exit_7, NULL);

        await_end(pid);
        reaper_collect(world.reaper);
        return pid;
}

static void ignore(void *context, pid_t pid, int status, const struct rusage *usage)
{
        (void)context;
        (void)pid;
        (void)status;
        (void)usage;
}

/* Every launch has come to its end: the reaper keeps nothing. */
static void assert_no_launch(void)
{
        assert_int_equal(reaper_add_late(world.reaper, collected_child(), 0, ignore, NULL), -ECHILD);
}

static int teardown(void **state)
{
        (void)state;
        assert_no_launch();
        log_set_sink(NULL, 0);
        fd_closep(&world.log_fd);
        worker_output_finish_all(&world.outputs);
        pool_free(world.pool);
        reaper_free(world.reaper);
        evloop_free(world.loop);
        config_clear(&world.config);
        return 0;
}

static void stop(void *context)
{
        (void)context;
        evloop_stop(world.loop);
}

static void turn(void)
{
        struct evloop_timer *timer;

        assert_int_equal(evloop_timer_new(world.loop, stop, NULL, &timer), 0);
        evloop_timer_set(timer, clock_now_ms() + 1);
        evloop_run(world.loop);
        evloop_timer_free(timer);
}

static struct worker *start(void)
{
        struct worker *worker = NULL;

        assert_int_equal(launcher_start(world.pool, WORKER_SERVE, "test", &worker), 0);
        assert_ptr_equal(world.pool->workers.first, worker);
        return worker;
}

static struct worker *start_later(void)
{
        launch_result = -EINPROGRESS;
        struct worker *worker = start();
        assert_int_equal(worker->life.state, WORKER_LAUNCHING);
        assert_int_equal(worker->pid, 0);
        return worker;
}

/* End what runs, and see that it is gone. */
static void end(struct worker *worker)
{
        pid_t pid = worker->pid;

        worker_event(worker, WORKER_EVENT_STOP_NOW, clock_now_ms());
        worker_event(worker, WORKER_EVENT_NO_HANDLER, clock_now_ms());
        await_end(pid);
        reaper_collect(world.reaper);
        assert_int_equal(world.pool->workers.count, 0);
}

static void test_a_forked_worker_runs(void **state)
{
        (void)state;
        struct worker *worker = start();
        assert_int_equal(worker->life.state, WORKER_STARTING);
        assert_true(worker->pid > 0);
        end(worker);
}

/* A slot is that of a level, too, whoever its worker is: adaptive scaling would take the level for one that was never
 * busy. */
static void test_a_new_worker_leaves_the_level_of_its_slot(void **state)
{
        (void)state;
        struct worker *worker = start();
        struct prefork_slot *slot = worker_slot(worker, 0);
        end(worker);
        slot->level_busy_ns = 5;
        slot->level_work_us = 4;
        slot->busy_ns = 6;
        slot->idle_timeouts = 7;
        worker = start();
        assert_ptr_equal(worker_slot(worker, 0), slot);
        assert_int_equal(slot->level_busy_ns, 5);
        assert_int_equal(slot->level_work_us, 4);
        assert_int_equal(slot->busy_ns, 0);
        assert_int_equal(slot->idle_timeouts, 0);
        end(worker);
}

static void test_a_forked_worker_that_ends_at_once_is_told_of_later(void **state)
{
        (void)state;
        launch_body = exit_7;
        struct worker *worker = start();
        await_end(worker->pid);
        assert_int_equal(world.pool->workers.count, 1);
        reaper_collect(world.reaper);
        assert_int_equal(world.pool->workers.count, 0);
        assert_int_equal(world.pool->counters.sums.died, 1);
}

static void test_a_launch_that_fails_leaves_nothing(void **state)
{
        struct worker *worker;

        (void)state;
        launch_result = -EAGAIN;
        assert_int_equal(launcher_start(world.pool, WORKER_SERVE, "test", &worker), -EAGAIN);
        assert_int_equal(world.pool->workers.count, 0);
        assert_int_equal(world.pool->counters.sums.start_failures, 1);
}

static void test_an_answer_makes_it_run(void **state)
{
        (void)state;
        struct worker *worker = start_later();
        pid_t pid = child_start(wait_for_kill, NULL);
        launcher_answer(worker, pid, 0);
        assert_int_equal(worker->life.state, WORKER_STARTING);
        assert_int_equal(worker->pid, pid);
        turn();
        assert_int_equal(world.turns, 1);
        assert_int_equal(world.pool->workers.count, 1);
        end(worker);
}

static const struct log_sink sink = {.write = note_record};

/* What the deadline policy orders when a start takes too long. */
static void start_takes_too_long(struct worker *worker, uint64_t duration_ms)
{
        const struct order order = {.event = WORKER_EVENT_START_TIMEOUT,
                                    .priority = LOG_ERR,
                                    .reason = "not ready",
                                    .duration_ms = duration_ms};

        log_set_sink(&sink, LOG_WARNING);
        deadlines_give_up(worker, &order, clock_now_ms());
}

static void test_a_start_that_takes_too_long_is_given_up(void **state)
{
        (void)state;
        struct worker *worker = start();
        const pid_t pid = worker->pid;
        start_takes_too_long(worker, world.pool->config->start_timeout_ms);
        assert_int_equal(worker->life.state, WORKER_KILLED);
        assert_int_equal(worker_slot(worker, 0)->activity, PREFORK_ENDING); /* it cannot become ready any more */
        assert_true(world.said > 0);
        assert_int_equal(world.pool->counters.sums.start_failures, 1);
        await_end(pid);
        reaper_collect(world.reaper);
        assert_int_equal(world.pool->workers.count, 0);
}

/* After the snapshot that showed it starting: it may have taken a client. */
static void test_a_start_that_ends_at_the_last_moment_is_none(void **state)
{
        (void)state;
        struct worker *worker = start();
        worker_slot(worker, 0)->activity = PREFORK_IDLE;
        start_takes_too_long(worker, world.pool->config->start_timeout_ms);
        assert_int_equal(worker->life.state, WORKER_READY);
        assert_int_equal(world.said, 0);
        assert_int_equal(world.pool->counters.sums.start_failures, 0);
        turn();
        assert_int_equal(world.turns, 1);
        end(worker);
}

/* Another process has made it, and its number has not come. */
static void test_one_without_a_number_may_be_ready(void **state)
{
        (void)state;
        struct worker *worker = start_later();
        worker_slot(worker, 0)->activity = PREFORK_IDLE;
        start_takes_too_long(worker, world.pool->config->start_timeout_ms);
        assert_int_equal(worker->life.state, WORKER_LAUNCHING);
        assert_int_equal(world.said, 0);
        turn();
        assert_int_equal(world.turns, 0); /* it is not looked at again and again until then */
        launcher_answer(worker, child_start(wait_for_kill, NULL), 0);
        worker_note_ready(worker, clock_now_ms());
        assert_int_equal(worker->life.state, WORKER_READY);
        end(worker);
}

static void test_one_without_a_number_is_not_waited_for_for_ever(void **state)
{
        (void)state;
        struct worker *worker = start_later();
        worker_slot(worker, 0)->activity = PREFORK_IDLE;
        start_takes_too_long(worker, 2 * world.pool->config->start_timeout_ms);
        assert_int_equal(worker->life.state, WORKER_KILLED);
        assert_int_equal(world.pool->counters.sums.start_failures, 1);
        launcher_answer(worker, 0, -ECANCELED);
        assert_int_equal(world.pool->workers.count, 0);
}

/* A worker may have said something before its number comes. */
static void test_what_it_said_has_its_number(void **state)
{
        struct worker *worker = start_later();

        (void)state;
        log_set_sink(&sink, LOG_WARNING);
        assert_int_equal(write(world.log_fd, "<4>first\n", 9), 9);
        turn();
        assert_int_equal(world.said, 0);
        launcher_answer(worker, child_start(wait_for_kill, NULL), 0);
        turn();
        assert_int_equal(world.said, 1);
        assert_int_equal(world.said_by, worker->pid);
        end(worker);
}

/* It is not lost if no number comes, as when who was to tell it has died. */
static void test_what_it_said_is_logged_without_a_number(void **state)
{
        struct worker *worker = start_later();

        (void)state;
        log_set_sink(&sink, LOG_WARNING);
        assert_int_equal(write(world.log_fd, "<4>first\n", 9), 9);
        turn();
        launcher_answer(worker, 0, -ECANCELED);
        assert_int_equal(world.said, 1);
        assert_int_equal(world.said_by, 0);
}

static void test_an_answer_may_be_a_failure(void **state)
{
        (void)state;
        launcher_answer(start_later(), 0, -ENOMEM);
        assert_int_equal(world.pool->workers.count, 0);
        assert_int_equal(world.pool->counters.sums.start_failures, 1);
        turn();
        assert_int_equal(world.turns, 1);
}

static void test_a_worker_may_have_ended_before_its_number_comes(void **state)
{
        (void)state;
        struct worker *worker = start_later();
        pid_t pid = collected_child();
        launcher_answer(worker, pid, 0);
        /* Its death is not told within the call: the caller still has it. */
        assert_int_equal(world.pool->workers.count, 1);
        assert_int_equal(worker->pid, pid);
        assert_int_equal(world.pool->counters.sums.died, 0);
        turn();
        assert_int_equal(world.pool->workers.count, 0);
        assert_int_equal(world.pool->counters.sums.died, 1);
        turn();
        assert_int_equal(world.pool->counters.sums.died, 1);
}

static void test_what_a_launching_worker_was_told_reaches_no_stranger(void **state)
{
        (void)state;
        struct worker *worker = start_later();
        worker_event(worker, WORKER_EVENT_STOP_NOW, clock_now_ms());
        launcher_answer(worker, collected_child(), 0);
        assert_int_equal(world.pool->workers.count, 1);
        turn();
        assert_int_equal(world.pool->workers.count, 0);
        assert_int_equal(world.pool->counters.sums.died, 0); /* as agreed */
}

static void test_a_number_that_is_no_childs_is_a_failure(void **state)
{
        (void)state;
        struct worker *worker = start_later();
        idle_set_add(boards_present(&world.pool->boards)->memory, worker->slot);
        uint32_t slot = worker->slot;
        launcher_answer(worker, getpid(), 0); /* and we go on */
        assert_int_equal(world.pool->workers.count, 0);
        assert_int_equal(world.pool->counters.sums.start_failures, 1);
        assert_false(idle_set_has(boards_present(&world.pool->boards)->memory, slot));
}

static void test_a_number_of_another_worker_is_a_failure(void **state)
{
        (void)state;
        struct worker *other = start(), *worker = start_later();
        launcher_answer(worker, other->pid, 0);
        assert_int_equal(world.pool->workers.count, 1);
        assert_int_equal(kill(other->pid, 0), 0);
        assert_int_equal(waitpid(other->pid, NULL, WNOHANG), 0);
        end(other);
}

/* … and leaves what else the master is told of that process as it was. */
static void test_a_number_of_another_child_is_not_watched(void **state)
{
        siginfo_t info;
        pid_t other = child_start(wait_for_kill, NULL);

        (void)state;
        assert_int_equal(reaper_add(world.reaper, other, ignore, NULL), 0);
        launcher_answer(start_later(), other, 0);
        assert_int_equal(world.pool->workers.count, 0);
        kill(other, SIGSTOP);
        assert_int_equal(waitid(P_PID, (id_t)other, &info, WSTOPPED | WNOWAIT), 0);
        reaper_collect(world.reaper);
        kill(other, SIGKILL);
        await_end(other);
        reaper_collect(world.reaper);
}

/* A launch that fails, or is answered, ends once: the other is still under way. */
static void test_launches_end_each_for_itself(void **state)
{
        struct worker *none;

        (void)state;
        struct worker *first = start_later(), *second = start_later();
        pid_t pid = collected_child();
        launcher_answer(second, 0, -ENOMEM);
        launch_result = -EAGAIN;
        assert_int_equal(launcher_start(world.pool, WORKER_SERVE, "test", &none), -EAGAIN);
        launch_result = 0;
        struct worker *own = start();
        launcher_answer(first, pid, 0);
        turn();
        assert_int_equal(world.pool->workers.count, 1);
        assert_int_equal(world.pool->counters.sums.died, 1);
        end(own);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_a_forked_worker_runs),
                TEST(test_a_new_worker_leaves_the_level_of_its_slot),
                TEST(test_a_forked_worker_that_ends_at_once_is_told_of_later),
                TEST(test_a_launch_that_fails_leaves_nothing),
                TEST(test_an_answer_makes_it_run),
                TEST(test_a_start_that_takes_too_long_is_given_up),
                TEST(test_a_start_that_ends_at_the_last_moment_is_none),
                TEST(test_one_without_a_number_may_be_ready),
                TEST(test_one_without_a_number_is_not_waited_for_for_ever),
                TEST(test_what_it_said_has_its_number),
                TEST(test_what_it_said_is_logged_without_a_number),
                TEST(test_an_answer_may_be_a_failure),
                TEST(test_a_worker_may_have_ended_before_its_number_comes),
                TEST(test_what_a_launching_worker_was_told_reaches_no_stranger),
                TEST(test_a_number_that_is_no_childs_is_a_failure),
                TEST(test_a_number_of_another_worker_is_a_failure),
                TEST(test_a_number_of_another_child_is_not_watched),
                TEST(test_launches_end_each_for_itself),
        };

        return cmocka_run_group_tests_name("launcher", tests, NULL, NULL);
}
