/* Orders to open the file and their answers, with a log process of the test's own: an answer to an earlier order is
 * none to the last. */
#include <setjmp.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "master/log/log_process.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "os/clock.h"

#define PATIENCE_MS 10000

static struct evloop *loop;
static struct evloop_timer *timer;
static struct reaper *reaper;
static struct log_process *process;
static struct log_answer answers[4];
static bool waits[ELEMENTS(answers)]; /* after the answer of the same number */
static size_t count, enough;

/* The first cannot be opened. */
static int log_child(const struct log_plan *plan)
{
        struct pollfd orders = {.fd = plan->orders_fd, .events = POLLIN};
        struct log_order order;

        alarm(60);
        while (poll(&orders, 1, -1) == 1 && recv(orders.fd, &order, sizeof(order), 0) == sizeof(order)) {
                const struct log_answer answer = {.number = order.number, .error = order.number == 1 ? EACCES : 0};
                if (order.kind == LOG_ORDER_OPEN && send(orders.fd, &answer, sizeof(answer), 0) < 0)
                        return 1;
        }
        return 0;
}

static void on_answered(void *context, const struct log_process *from, const struct log_answer *answer, bool changed)
{
        (void)context;
        (void)changed;
        waits[count] = from->is_asked;
        answers[count++] = *answer;
        if (count == enough)
                evloop_stop(loop);
}

static void on_ended(void *context)
{
        (void)context;
}

static void on_late(void *context)
{
        (void)context;
        fail_msg("there is no answer");
}

static struct log_process_setup setup = {.entry = log_child, .answered = on_answered, .ended = on_ended};

static int set_up(void **state)
{
        (void)state;
        count = 0;
        assert_int_equal(evloop_new(&loop), 0);
        assert_int_equal(evloop_timer_new(loop, on_late, NULL, &timer), 0);
        assert_int_equal(reaper_new(loop, &reaper), 0);
        setup.loop = loop;
        setup.reaper = reaper;
        assert_int_equal(log_process_new(&setup, "/nowhere/log", &process), 0);
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        kill(process->pid, SIGKILL);
        log_process_free_all(&setup);
        reaper_free(reaper);
        evloop_timer_free(timer);
        evloop_free(loop);
        return 0;
}

static void run_until(size_t answered)
{
        enough = answered;
        evloop_timer_set(timer, clock_now_ms() + PATIENCE_MS);
        evloop_run(loop);
        assert_int_equal(count, answered);
}

static void test_an_earlier_answer_is_none(void **state)
{
        (void)state;
        assert_int_equal(log_process_open(process), 1);
        assert_int_equal(log_process_open(process), 2);
        run_until(2);
        assert_int_equal(answers[0].number, 1);
        assert_int_equal(answers[0].error, EACCES);
        assert_true(waits[0]);
        assert_int_equal(answers[1].number, 2);
        assert_int_equal(answers[1].error, 0);
        assert_false(waits[1]);
}

/* The process that was asked is killed; the next one gets the last order, with its number. */
static void test_the_next_process_answers(void **state)
{
        (void)state;
        assert_int_equal(log_process_open(process), 1);
        run_until(1);
        kill(process->pid, SIGSTOP);
        assert_int_equal(log_process_open(process), 2);
        assert_int_equal(log_process_open(process), 3);
        kill(process->pid, SIGKILL);
        for (uint64_t end_ms = clock_now_ms() + PATIENCE_MS; process->pid > 0 && clock_now_ms() < end_ms;) {
                usleep(1000);
                reaper_collect(reaper);
        }
        run_until(3); /* of its death, and of the next */
        assert_int_equal(answers[1].number, 0);
        assert_true(waits[1]);
        assert_int_equal(answers[2].number, 3);
        assert_false(waits[2]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_an_earlier_answer_is_none, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_the_next_process_answers, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
