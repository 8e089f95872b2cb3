/* libprefork against a scoreboard whose master is the test. A process can attach once, so each scene is a child. */
#include "prefork/worker.h"

#include "lib/door.h"
#include "unit/board_helpers.h"
#include "unit/socket_helpers.h"

#define SLOT 5
#define CHECK(condition)                                                                                               \
        do {                                                                                                           \
                if (!(condition))                                                                                      \
                        return __LINE__ % 250 + 1;                                                                     \
        } while (0)

/* What the children see. */
static struct {
        struct fixture *fixture;
        struct address addresses[2];
        int listeners[2];
        int count;
} scene;

static void set(const char *name, int value)
{
        char text[16];

        snprintf(text, sizeof(text), "%d", value);
        setenv(name, text, 1);
}

static void set_all(pid_t pid)
{
        set("PREFORK_PID", pid);
        set("PREFORK_MASTER_PID", getppid());
        set("PREFORK_SLOT", SLOT);
        set("PREFORK_SCOREBOARD_FD", scene.fixture->board_fd);
        set("PREFORK_WAKE_FD", scene.fixture->wake_fds[1]);
        set("PREFORK_LISTEN_FD", scene.listeners[0]);
        set("PREFORK_LISTEN_FDS", scene.count);
        set("PREFORK_ORPHAN_TIMEOUT_MS", 1000);
}

/* Attach as the worker that preforkd has executed. */
/* Of this process, which has it until its end. */
static struct prefork_worker *attached(void)
{
        static struct prefork_worker *worker;
        sigset_t retire;

        door_signal_set(&retire); /* as the worker leaves it */
        sigprocmask(SIG_BLOCK, &retire, NULL);
        set_all(getpid());
        return prefork_attach(&worker) == 0 ? worker : NULL;
}

static struct prefork_slot *words(void)
{
        return &scene.fixture->board->slots[SLOT];
}

static int not_for_us(void)
{
        struct prefork_worker *worker = NULL;

        unsetenv("PREFORK_PID");
        CHECK(prefork_attach(&worker) == -ENOENT);
        set_all(getppid());
        CHECK(prefork_attach(&worker) == -ENOENT);
        set_all(getpid());
        set("PREFORK_MASTER_PID", getpid());
        CHECK(prefork_attach(&worker) == -ESRCH);
        set_all(getpid());
        set("PREFORK_WAKE_FD", 0);
        CHECK(prefork_attach(&worker) == -EINVAL);
        CHECK(!worker && words()->attached == PREFORK_ATTACHED_NOBODY);
        return 0;
}

static int once_and_without_a_trace(void)
{
        struct prefork_worker *worker = attached(), *again;

        CHECK(worker && words()->attached == PREFORK_ATTACHED_PROGRAM);
        CHECK(!getenv("PREFORK_PID") && !getenv("PREFORK_SLOT") && !getenv("PREFORK_LISTEN_FDS"));
        CHECK(fcntl(scene.fixture->board_fd, F_GETFD) == FD_CLOEXEC);
        CHECK(words()->activity == PREFORK_STARTING);
        set_all(getpid());
        CHECK(prefork_attach(&again) == -EALREADY);
        prefork_detach(worker);
        CHECK(words()->activity == PREFORK_ENDING);
        return 0;
}

static int serve_until_retired(void)
{
        struct prefork_worker *worker = attached();
        struct sockaddr_storage peer;
        int fd;

        CHECK(worker);
        for (;;) {
                socklen_t length = sizeof(peer);
                fd = prefork_accept(worker, (struct sockaddr *)&peer, &length);
                if (fd == -EINTR)
                        continue;
                if (fd < 0)
                        break;
                CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
                CHECK(peer.ss_family == scene.addresses[0].any.sa_family || scene.count > 1);
                CHECK(words()->activity == PREFORK_BUSY && !idle_set_has(scene.fixture->board, SLOT));
                answer_one(fd);
                prefork_done(worker);
        }
        CHECK(fd == -ESHUTDOWN && prefork_retiring(worker));
        CHECK(prefork_accept(worker, NULL, NULL) == -ESHUTDOWN);
        return 0;
}

static int talk_to(int i)
{
        int fd = connect_to(&scene.addresses[i], DEADLINE_MS);

        return fd < 0 ? fd : talk(fd);
}

static void wait_idle(void)
{
        for (uint64_t end_ms = test_now_ms() + DEADLINE_MS; words()->activity != PREFORK_IDLE;) {
                assert_true(test_now_ms() < end_ms);
                test_sleep_us(200);
        }
}

static pid_t start(int (*body)(void))
{
        static int (*kept)(void);

        kept = body;
        words()->activity = PREFORK_STARTING; /* the slot of a new worker is empty */
        return child_start(child_call_body, &kept);
}

static void open_scene(void **state, const int *families, int count)
{
        scene.fixture = *state;
        scene.count = count;
        for (int i = 0; i < count; i++) {
                scene.addresses[i] = unique_address(families[i]);
                scene.listeners[i] = listen_on(&scene.addresses[i], count > 1 ? SOCK_NONBLOCK : 0);
        }
        if (count > 1) /* they follow each other */
                assert_int_equal(scene.listeners[1], scene.listeners[0] + 1);
        memset((void *)words(), 0, sizeof(*words()));
}

static int scene_setup(void **state)
{
        const int family = AF_INET;

        board_setup(state);
        open_scene(state, &family, 1);
        return 0;
}

static int scene_teardown(void **state)
{
        for (int i = 0; i < scene.count; i++)
                close(scene.listeners[i]);
        return board_teardown(state);
}

static void test_refuses_what_is_not_for_it(void **state)
{
        (void)state;
        in_child(not_for_us);
}

static void test_attaches_once(void **state)
{
        (void)state;
        in_child(once_and_without_a_trace);
}

static void test_serves_and_retires(void **state)
{
        const struct fixture *fixture = *state;
        pid_t worker = start(serve_until_retired);

        for (int i = 0; i < 50; i++)
                assert_int_equal(talk_to(0), 0);
        wait_idle();
        assert_true(take_wakes(fixture) > 0); /* READY */
        assert_int_equal(words()->requests_ended, 50);
        kill(worker, DOOR_SIGNAL);
        assert_int_equal(child_wait(worker, DEADLINE_MS), 0);
        assert_int_equal(words()->activity, PREFORK_ENDING);
        assert_false(idle_set_has(fixture->board, SLOT));
}

static int hold_one(void)
{
        struct prefork_worker *worker = attached();
        int fd = worker ? prefork_accept(worker, NULL, NULL) : -1;
        struct timespec pause = {.tv_nsec = 200000000}, left = {0};

        CHECK(fd >= 0 && !prefork_retiring(worker));
        kill(getpid(), DOOR_SIGNAL);
        CHECK(nanosleep(&pause, &left) == 0); /* no sleep is cut short */
        CHECK(prefork_retiring(worker));
        answer_one(fd);
        CHECK(prefork_accept(worker, NULL, NULL) == -ESHUTDOWN); /* ends the request, too */
        CHECK(words()->requests_ended == 1);
        return 0;
}

static void test_retired_while_busy(void **state)
{
        pid_t worker = start(hold_one);
        int first = connect_to(&scene.addresses[0], DEADLINE_MS);

        (void)state;
        assert_int_equal(talk(first), 0);
        assert_int_equal(child_wait(worker, DEADLINE_MS), 0);
        int waiting = connect_to(&scene.addresses[0], DEADLINE_MS); /* its successor gets it */
        worker = start(serve_until_retired);
        assert_int_equal(talk(waiting), 0);
        kill(worker, DOOR_SIGNAL);
        assert_int_equal(child_wait(worker, DEADLINE_MS), 0);
}

/* A word that the test sees. */
#define told (words()->start_errno)

static void on_usr1(int number)
{
        told = (uint32_t)number;
}

static int hear_a_signal(void)
{
        const struct sigaction action = {.sa_handler = on_usr1};
        struct prefork_worker *worker = attached();
        int fd;

        sigaction(SIGUSR1, &action, NULL);
        CHECK(worker && prefork_accept(worker, NULL, NULL) == -EINTR && told == SIGUSR1);
        CHECK(words()->activity == PREFORK_IDLE);
        while ((fd = prefork_accept(worker, NULL, NULL)) == -EINTR)
                ;
        answer_one(fd);
        prefork_detach(worker);
        return words()->requests_ended == 1 ? 0 : 1;
}

/* SIGUSR1 ends a child that has no handler yet: wait until it waits. */
static void check_hears(void)
{
        pid_t worker = start(hear_a_signal);

        wait_idle();
        wait_until_asleep(worker);
        kill(worker, SIGUSR1);
        for (uint64_t end_ms = test_now_ms() + DEADLINE_MS; told == 0;) /* a connection would end the call first */
                assert_true(test_now_ms() < end_ms);
        assert_int_equal(talk_to(0), 0);
        assert_int_equal(child_wait(worker, DEADLINE_MS), 0);
}

static void test_returns_on_other_signals(void **state)
{
        (void)state;
        check_hears();
}

static int two_setup(void **state)
{
        static const int families[] = {AF_INET, AF_UNIX};

        board_setup(state);
        open_scene(state, families, 2);
        return 0;
}

static void test_two_listeners(void **state)
{
        pid_t worker = start(serve_until_retired);

        (void)state;
        for (int i = 0; i < 20; i++)
                assert_int_equal(talk_to(i % 2), 0);
        wait_idle();
        kill(worker, DOOR_SIGNAL);
        assert_int_equal(child_wait(worker, DEADLINE_MS), 0);
        assert_int_equal(words()->requests_ended, 20);
        memset((void *)words(), 0, sizeof(*words()));
        check_hears();
}

static int serve_to_the_limit(void)
{
        struct prefork_worker *worker = attached();
        int fd, served = 0;

        CHECK(worker);
        while ((fd = prefork_accept(worker, NULL, NULL)) >= 0) {
                served++;
                answer_one(fd);
        }
        CHECK(fd == -ESHUTDOWN && served == 3);
        return 0;
}

static void test_is_recycled(void **state)
{
        const struct fixture *fixture = *state;
        pid_t worker;

        fixture->board->max_requests = 3;
        worker = start(serve_to_the_limit);
        for (int i = 0; i < 3; i++) {
                if (i == 2) {
                        wait_idle();
                        assert_int_equal(words()->recycle, PREFORK_RECYCLE_NONE);
                }
                assert_int_equal(talk_to(0), 0);
        }
        for (uint64_t end_ms = test_now_ms() + DEADLINE_MS; words()->recycle == PREFORK_RECYCLE_NONE;)
                assert_true(test_now_ms() < end_ms);
        words()->answer = PREFORK_ANSWER_GO;
        syscall(SYS_futex, &words()->answer, 1 /* FUTEX_WAKE */, 1, NULL, NULL, 0);
        assert_int_equal(child_wait(worker, DEADLINE_MS), 0);
}

static void test_refuses_one_too_many_of_a_source(void **state)
{
        const struct fixture *fixture = *state;
        pid_t worker = start(serve_until_retired);

        wait_idle();
        fixture->board->max_connections_per_source = 1;
        /* Another worker serves one of the same source: ours, which the first request shows. */
        assert_int_equal(talk_to(0), 0);
        wait_idle();
        int held = connect_to(&scene.addresses[0], DEADLINE_MS);
        while (words()->source == 0)
                test_sleep_us(200);
        fixture->board->slots[SLOT + 1].source = atomic_load(&words()->source);
        fixture->board->slots[SLOT + 1].source_ticket = 1;
        assert_int_equal(talk(held), 0);
        assert_true(talk_to(0) != 0);
        fixture->board->slots[SLOT + 1].source = 0;
        assert_int_equal(talk_to(0), 0);
        wait_idle();
        assert_int_equal(words()->refused, 1);
        assert_int_equal(words()->requests_ended, 3);
        kill(worker, DOOR_SIGNAL);
        assert_int_equal(child_wait(worker, DEADLINE_MS), 0);
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                IN_SCENE(test_refuses_what_is_not_for_it),
                IN_SCENE(test_attaches_once),
                IN_SCENE(test_serves_and_retires),
                IN_SCENE(test_retired_while_busy),
                IN_SCENE(test_returns_on_other_signals),
                cmocka_unit_test_setup_teardown(test_two_listeners, two_setup, scene_teardown),
                IN_SCENE(test_is_recycled),
                IN_SCENE(test_refuses_one_too_many_of_a_source),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
