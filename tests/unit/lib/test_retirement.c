/* The test plays the master and retires workers thousands of times at random moments, while clients send requests: no
 * connection is lost, and none is stuck. */
#include "lib/acceptor.h"
#include "lib/door.h"
#include "unit/socket_helpers.h"

#define WORKERS 8
#define CLIENTS 4
#define LISTENERS 3
#define ENOUGH 2000     /* retirements in a scene */
#define SCENE_MS 2500   /* a scene ends after this time, too */
#define TOO_FEW 50      /* retirements that a scene must reach */
#define CLIENT_MS 15000 /* a connection without an answer for this long is stuck */

struct scene {
        const char *name;
        size_t listener_count;
        int families[LISTENERS];
        bool nonblocking, becomes_nonblocking;
        int listeners[LISTENERS];
        struct address addresses[LISTENERS];
        struct results *results;
};

struct results {
        _Atomic uint32_t stop, served, lost;
        _Atomic int32_t error; /* of the last that was lost */
};

static int work(void *context)
{
        const struct scene *scene = context;
        struct acceptor acceptor;
        struct address peer;
        int connection;

        int r = acceptor_open(&acceptor, scene->listeners, scene->listener_count, getppid(), 1000);
        while (r == 0 && (r = acceptor_wait(&acceptor, &peer, &connection)) == 0)
                answer_one(connection);
        return r == -ESHUTDOWN ? 0 : 100 - r;
}

static int ask_until_stopped(void *context)
{
        const struct scene *scene = context;
        struct results *results = scene->results;

        for (unsigned i = 0; !results->stop; i++) {
                int fd = connect_to(&scene->addresses[i % scene->listener_count], CLIENT_MS);
                int r = fd < 0 ? fd : talk(fd);
                if (r == 0)
                        results->served++;
                else {
                        results->lost++;
                        results->error = r;
                }
        }
        return 0;
}

static void open_scene(struct scene *scene)
{
        sigset_t mask;

        for (size_t i = 0; i < scene->listener_count; i++) {
                scene->addresses[i] = unique_address(scene->families[i]);
                scene->listeners[i] = listen_on(&scene->addresses[i], scene->nonblocking ? SOCK_NONBLOCK : 0);
        }
        scene->results = shared_new(sizeof(*scene->results));
        door_signal_set(&mask);
        sigprocmask(SIG_BLOCK, &mask, NULL);
}

static void retire(pid_t pid)
{
        kill(pid, DOOR_SIGNAL);
        assert_int_equal(child_wait(pid, CLIENT_MS), 0);
}

static void become_nonblocking(const struct scene *scene)
{
        for (size_t i = 0; i < scene->listener_count; i++)
                fcntl(scene->listeners[i], F_SETFL, fcntl(scene->listeners[i], F_GETFL) | O_NONBLOCK);
}

static void play(struct scene *scene)
{
        pid_t workers[WORKERS], clients[CLIENTS];
        unsigned seed = 1, retired = 0;

        open_scene(scene);
        for (unsigned i = 0; i < WORKERS; i++)
                workers[i] = child_start(work, scene);
        for (unsigned i = 0; i < CLIENTS; i++)
                clients[i] = child_start(ask_until_stopped, scene);
        uint64_t start_ms = test_now_ms();
        for (; retired < ENOUGH && (retired < TOO_FEW || test_now_ms() < start_ms + SCENE_MS); retired++) {
                unsigned i = (unsigned)rand_r(&seed) % WORKERS;
                test_sleep_us((unsigned)rand_r(&seed) % 300);
                if (scene->becomes_nonblocking && (retired == 200 || test_now_ms() > start_ms + SCENE_MS / 2)) {
                        become_nonblocking(scene);
                        scene->becomes_nonblocking = false;
                }
                retire(workers[i]);
                workers[i] = child_start(work, scene);
        }
        scene->results->stop = 1;
        for (unsigned i = 0; i < CLIENTS; i++)
                assert_int_equal(child_wait(clients[i], 2 * CLIENT_MS), 0);
        for (unsigned i = 0; i < WORKERS; i++)
                retire(workers[i]);
        print_message("%s: %u retirements, %u connections served, %u lost (%s)\n", scene->name, retired,
                      scene->results->served, scene->results->lost, strerror(-scene->results->error));
        assert_int_equal(scene->results->lost, 0);
        assert_true(scene->results->served >= CLIENTS);
        for (size_t i = 0; i < scene->listener_count; i++)
                close(scene->listeners[i]);
}

static void test_tcp(void **state)
{
        struct scene scene = {.name = "TCP", .listener_count = 1, .families = {AF_INET}};

        (void)state;
        play(&scene);
}

static void test_unix(void **state)
{
        struct scene scene = {.name = "UNIX", .listener_count = 1, .families = {AF_UNIX}};

        (void)state;
        play(&scene);
}

static void test_several(void **state)
{
        struct scene scene = {
                .name = "several", .listener_count = 3, .families = {AF_INET, AF_UNIX, AF_INET}, .nonblocking = true};

        (void)state;
        play(&scene);
}

static void test_nonblock_flipped_on(void **state)
{
        struct scene scene = {.name = "O_NONBLOCK flipped on",
                              .listener_count = 1,
                              .families = {AF_INET},
                              .becomes_nonblocking = true};

        (void)state;
        play(&scene);
}

/* Two idle workers and one client: the kernel wakes the worker that is being retired. If that worker ended without the
 * connection, nothing would wake the other. */
static void retire_the_one_that_is_woken(struct scene *scene)
{
        enum { ROUNDS = 400 };
        pid_t workers[2];
        unsigned seed = 1, round = 0;

        open_scene(scene);
        for (unsigned i = 0; i < 2; i++) {
                workers[i] = child_start(work, scene);
                wait_until_asleep(workers[i]);
        }
        for (uint64_t end_ms = test_now_ms() + SCENE_MS; round < ROUNDS && test_now_ms() < end_ms; round++) {
                bool kill_first = rand_r(&seed) % 4 == 0;
                if (kill_first)
                        kill(workers[0], DOOR_SIGNAL);
                int fd = connect_to(&scene->addresses[round % scene->listener_count], CLIENT_MS / 3);
                for (volatile int i = rand_r(&seed) % 2000; i > 0;)
                        i = i - 1;
                if (!kill_first)
                        kill(workers[0], DOOR_SIGNAL);
                int r = fd < 0 ? fd : talk(fd);
                if (r != 0)
                        print_error("%s: round %u: %s\n", scene->name, round, strerror(-r));
                assert_int_equal(r, 0);
                assert_int_equal(child_wait(workers[0], CLIENT_MS), 0);
                workers[0] = workers[1]; /* the one that has waited longest is woken first */
                workers[1] = child_start(work, scene);
                wait_until_asleep(workers[1]);
        }
        for (unsigned i = 0; i < 2; i++)
                retire(workers[i]);
        assert_true(round > 10);
        for (size_t i = 0; i < scene->listener_count; i++)
                close(scene->listeners[i]);
}

static void test_wake_up_is_not_lost(void **state)
{
        struct scene scenes[] = {
                {.name = "TCP", .listener_count = 1, .families = {AF_INET}},
                {.name = "UNIX", .listener_count = 1, .families = {AF_UNIX}},
                {.name = "TCP, O_NONBLOCK", .listener_count = 1, .families = {AF_INET}, .nonblocking = true},
                {.name = "several", .listener_count = 2, .families = {AF_INET, AF_UNIX}, .nonblocking = true},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
                retire_the_one_that_is_woken(&scenes[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tcp),
                cmocka_unit_test(test_unix),
                cmocka_unit_test(test_several),
                cmocka_unit_test(test_nonblock_flipped_on),
                cmocka_unit_test(test_wake_up_is_not_lost),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
