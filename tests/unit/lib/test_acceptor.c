#include <sys/resource.h>

#include "lib/acceptor.h"
#include "lib/door.h"
#include "os/process/usage.h"
#include "unit/socket_helpers.h"

#define LISTENERS 3
#define CLIENT_MS 10000

/* One way of listening; each test is run with all of them. */
struct kind {
        const char *name;
        size_t count;
        int families[LISTENERS];
        bool nonblocking;
};

static const struct kind kinds[] = {
        {"TCP", 1, {AF_INET}, false},
        {"UNIX", 1, {AF_UNIX}, false},
        {"TCP, O_NONBLOCK", 1, {AF_INET}, true},
        {"UNIX, O_NONBLOCK", 1, {AF_UNIX}, true},
        {"several", 3, {AF_INET, AF_UNIX, AF_INET}, true},
};

struct place {
        const struct kind *kind;
        int fds[LISTENERS];
        struct address addresses[LISTENERS];
        unsigned orphan_ms;
        int report_fd; /* see report() */
};

static struct place open_place(const struct kind *kind)
{
        struct place place = {.kind = kind, .fds = {-1, -1, -1}, .orphan_ms = 1000, .report_fd = -1};

        for (size_t i = 0; i < kind->count; i++) {
                place.addresses[i] = unique_address(kind->families[i]);
                place.fds[i] = listen_on(&place.addresses[i], kind->nonblocking ? SOCK_NONBLOCK : 0);
        }
        return place;
}

static void close_place(struct place *place)
{
        for (size_t i = 0; i < place->kind->count; i++)
                close(place->fds[i]);
}

static int each_kind(int (*check)(struct place *place))
{
        int failed = 0;

        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                struct place place = open_place(&kinds[i]);
                int r = check(&place);
                if (r != 0) {
                        print_error("%s: check %d failed\n", kinds[i].name, r);
                        failed++;
                }
                close_place(&place);
        }
        return failed;
}

static void block_retire_signal(void)
{
        sigset_t mask;

        door_signal_set(&mask);
        sigprocmask(SIG_BLOCK, &mask, NULL);
}

static bool retire_signal_is_blocked(void)
{
        sigset_t mask;

        sigprocmask(SIG_SETMASK, NULL, &mask);
        return sigismember(&mask, DOOR_SIGNAL) == 1;
}

/* Send a byte to the test, which reads it with hear(). */
static void report(const struct place *place, char byte)
{
        ssize_t written = place->report_fd >= 0 ? write(place->report_fd, &byte, 1) : 0;

        (void)written;
}

/* A minimal worker. Its exit code is 0 if it was retired, and 100 + errno after a failure. */
static int work(void *context)
{
        const struct place *place = context;
        struct acceptor acceptor;
        int connection;
        struct address peer;

        int r = acceptor_open(&acceptor, place->fds, place->kind->count, getppid(), place->orphan_ms);
        report(place, 'o');
        while (r == 0) {
                r = acceptor_wait(&acceptor, &peer, &connection);
                if (r != 0)
                        break;
                if (retire_signal_is_blocked() || fcntl(connection, F_GETFD) != FD_CLOEXEC)
                        return 3;
                report(place, 'a');
                answer_one(connection);
        }
        return r == -ESHUTDOWN ? 0 : 100 - r;
}

/* Start a worker and wait until it blocks in the kernel. */
static pid_t start_waiting_worker(struct place *place)
{
        block_retire_signal();
        pid_t pid = child_start(work, place);
        wait_until_asleep(pid);
        return pid;
}

static int serves_every_listener(struct place *place)
{
        pid_t worker = start_waiting_worker(place);
        int r = 0;

        for (unsigned round = 0; round < 6 && r == 0; round++) {
                int fd = connect_to(&place->addresses[round % place->kind->count], CLIENT_MS);
                r = fd < 0 ? fd : talk(fd);
        }
        kill(worker, DOOR_SIGNAL);
        int code = child_wait(worker, CLIENT_MS);
        return r != 0 ? 1 : code != 0 ? 2 : 0;
}

static int tells_the_peer(struct place *place)
{
        struct acceptor acceptor;
        struct address peer;
        int connection = -1;
        pid_t child = fork(); /* a process has one door */

        if (child > 0)
                return child_wait(child, CLIENT_MS);
        block_retire_signal();
        if (acceptor_open(&acceptor, place->fds, place->kind->count, getppid(), 1000) != 0)
                _exit(1);
        for (size_t i = 0; i < place->kind->count; i++) {
                struct address own = {.length = sizeof(own.un)};
                int fd = connect_to(&place->addresses[i], CLIENT_MS);
                if (acceptor_wait(&acceptor, &peer, &connection) != 0)
                        _exit(2);
                getsockname(fd, &own.any, &own.length);
                if (!address_equal(&own, &peer) || peer.length != own.length)
                        _exit(3);
                close(fd);
                close(connection);
        }
        _exit(0);
}

/* A worker that is retired before its first wait accepts nothing; the connection waits for the next worker. */
static int retired_before(struct place *place)
{
        block_retire_signal();
        int client = connect_to(&place->addresses[0], CLIENT_MS);
        pid_t worker = fork();
        if (worker == 0) {
                kill(getpid(), DOOR_SIGNAL);
                _exit(work(place));
        }
        if (child_wait(worker, CLIENT_MS) != 0)
                return 1;
        worker = child_start(work, place);
        int r = talk(client);
        kill(worker, DOOR_SIGNAL);
        return r != 0 ? 2 : child_wait(worker, CLIENT_MS) == 0 ? 0 : 3;
}

/* The door cannot replace the listener: dup2(2) fails above the limit. */
static int work_with_a_door_that_fails(void *context)
{
        const struct place *place = context;
        struct acceptor acceptor;
        struct rlimit limit, none;
        struct address peer;
        int connection;

        if (acceptor_open(&acceptor, place->fds, place->kind->count, getppid(), 0) != 0 ||
            getrlimit(RLIMIT_NOFILE, &limit) != 0)
                return 1;
        none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &none) != 0 || raise(DOOR_SIGNAL) != 0 || setrlimit(RLIMIT_NOFILE, &limit) != 0)
                return 2;
        return acceptor_wait(&acceptor, &peer, &connection) == -ESHUTDOWN ? 0 : 3;
}

static int retired_by_a_door_that_fails(struct place *place)
{
        block_retire_signal();
        int client = connect_to(&place->addresses[0], CLIENT_MS);
        int code = child_wait(child_start(work_with_a_door_that_fails, place), CLIENT_MS);
        close(client);
        return code;
}

static int retired_while_waiting(struct place *place)
{
        pid_t worker = start_waiting_worker(place);

        kill(worker, DOOR_SIGNAL);
        return child_wait(worker, CLIENT_MS);
}

/* A worker that is retired during a request finishes it and accepts no other. */
static int retired_after(struct place *place)
{
        int ends[2];
        char byte = 0;

        if (pipe2(ends, O_CLOEXEC) != 0)
                return 1;
        place->report_fd = ends[1];
        pid_t worker = start_waiting_worker(place);
        close(ends[1]);
        int served = connect_to(&place->addresses[0], CLIENT_MS);
        while (byte != 'a' && read(ends[0], &byte, 1) == 1)
                ;
        int left = connect_to(&place->addresses[place->kind->count - 1], CLIENT_MS);
        kill(worker, DOOR_SIGNAL);
        int r = talk(served);
        int code = child_wait(worker, CLIENT_MS);
        place->report_fd = -1;
        close(ends[0]);
        if (r != 0 || code != 0)
                return 2;
        worker = start_waiting_worker(place);
        r = talk(left);
        kill(worker, DOOR_SIGNAL);
        return child_wait(worker, CLIENT_MS) == 0 && r == 0 ? 0 : 3;
}

/* O_NONBLOCK is the open file's: a new configuration sets it under workers that are blocked in accept. */
static int nonblock_set_under_it(struct place *place)
{
        pid_t worker = start_waiting_worker(place);
        int r = 0;

        for (size_t i = 0; i < place->kind->count; i++)
                fcntl(place->fds[i], F_SETFL, fcntl(place->fds[i], F_GETFL) | O_NONBLOCK);
        for (unsigned round = 0; round < 3 && r == 0; round++)
                r = talk(connect_to(&place->addresses[0], CLIENT_MS));
        wait_until_asleep(worker);
        kill(worker, DOOR_SIGNAL);
        int code = child_wait(worker, CLIENT_MS);
        return r != 0 ? 1 : code != 0 ? 2 : 0;
}

/* A UNIX listener drains: waiting connections are served, and then acceptor_wait() returns -ESHUTDOWN. */
static int shut_and_empty(struct place *place)
{
        int client = -1;

        for (size_t i = 0; i < place->kind->count; i++)
                if (place->kind->families[i] != AF_UNIX)
                        return 0;
        block_retire_signal();
        client = connect_to(&place->addresses[0], CLIENT_MS);
        shutdown(place->fds[0], SHUT_RD);
        pid_t worker = child_start(work, place);
        int r = talk(client);
        if (r != 0)
                kill(worker, SIGKILL);
        int code = child_wait(worker, CLIENT_MS);
        return r != 0 ? 1 : code == 0 ? 0 : 2;
}

static int shut_while_waiting(struct place *place)
{
        for (size_t i = 0; i < place->kind->count; i++)
                if (place->kind->families[i] != AF_UNIX)
                        return 0;
        pid_t worker = start_waiting_worker(place);
        shutdown(place->fds[0], SHUT_RD);
        return child_wait(worker, CLIENT_MS);
}

/* All of several are drained, one after the other. */
static void test_all_of_several_shut(void **state)
{
        const struct kind kind = {"several UNIX", 2, {AF_UNIX, AF_UNIX}, true};
        struct place place = open_place(&kind);

        (void)state;
        pid_t worker = start_waiting_worker(&place);
        shutdown(place.fds[1], SHUT_RD);
        assert_int_equal(talk(connect_to(&place.addresses[0], CLIENT_MS)), 0);
        shutdown(place.fds[0], SHUT_RD);
        assert_int_equal(child_wait(worker, CLIENT_MS), 0);
        close_place(&place);
}

/* The processor time of a process so far. */
static uint64_t cpu_ms(pid_t pid)
{
        struct process_usage usage;

        return process_usage_read(pid, &usage) == 0 ? usage.cpu_ms : 0;
}

/* One of several listeners drains: the worker serves the others, and does not spin on the one that is always ready. */
static int one_of_several_shut(struct place *place)
{
        int r;

        if (place->kind->count == 1)
                return 0;
        pid_t worker = start_waiting_worker(place);
        int client = connect_to(&place->addresses[1], CLIENT_MS);
        shutdown(place->fds[1], SHUT_RD);
        r = talk(client);
        for (unsigned round = 0; round < 3 && r == 0; round++)
                r = talk(connect_to(&place->addresses[(size_t)2 * (round % 2)], CLIENT_MS));
        uint64_t before_ms = cpu_ms(worker);
        wait_until_asleep(worker);
        test_sleep_us(200000);
        bool spins = cpu_ms(worker) - before_ms > 50;
        kill(worker, DOOR_SIGNAL);
        int code = child_wait(worker, CLIENT_MS);
        return r != 0 ? 1 : code != 0 ? 2 : spins ? 3 : 0;
}

/* Without free descriptors the connection stays in the queue. The caller gets the error, pauses, and serves the
 * connection when descriptors are free again. */
static int shortage(void *context)
{
        struct place *place = context;
        struct rlimit limit;
        struct acceptor acceptor;
        struct address peer;
        int connection, filler = -1;

        if (acceptor_open(&acceptor, place->fds, place->kind->count, getppid(), 1000) != 0)
                return 1;
        while ((connection = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0 && connection < 100)
                filler = connection;
        close(connection);
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = (rlim_t)filler + 1;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
                return 2;
        for (unsigned i = 0; i < 3; i++) {
                int r = acceptor_wait(&acceptor, &peer, &connection);
                if (r != -EMFILE || !acceptor_is_shortage(r))
                        return 3;
                uint64_t start_ms = test_now_ms();
                acceptor_pause(&acceptor);
                if (test_now_ms() - start_ms < 20) /* without the pause all workers would spin */
                        return 4;
        }
        close(filler);
        if (acceptor_wait(&acceptor, &peer, &connection) != 0)
                return 5;
        return answer_one(connection) ? 0 : 6;
}

static int short_of_descriptors(struct place *place)
{
        block_retire_signal();
        int client = connect_to(&place->addresses[0], CLIENT_MS);
        pid_t worker = child_start(shortage, place);
        int r = talk(client);
        int code = child_wait(worker, CLIENT_MS);
        return code != 0 ? code : r != 0 ? 7 : 0;
}

static int pause_until_retired(void *context)
{
        const struct place *place = context;
        struct acceptor acceptor;
        uint64_t end_ms = test_now_ms() + DEADLINE_MS;
        int connection;
        struct address peer;

        if (acceptor_open(&acceptor, place->fds, place->kind->count, getppid(), 1000) != 0)
                return 1;
        while (!door_is_closed() && test_now_ms() < end_ms)
                acceptor_pause(&acceptor);
        return acceptor_wait(&acceptor, &peer, &connection) == -ESHUTDOWN ? 0 : 2;
}

static int retired_in_a_pause(struct place *place)
{
        block_retire_signal();
        pid_t worker = child_start(pause_until_retired, place);
        wait_until_asleep(worker);
        kill(worker, DOOR_SIGNAL);
        return child_wait(worker, CLIENT_MS);
}

/* --- the master's death ------------------------------------------------------------------------------------------- */

static const struct place *orphan_place;

static void on_alarm(int number)
{
        (void)number;
        report(orphan_place, 'A');
        _exit(0);
}

/* A worker whose master is about to die. It reports what happens to it, because no process can wait for it. */
static void be_orphan(const struct place *place)
{
        const struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
        struct acceptor acceptor;
        struct address peer;
        int connection, r;

        orphan_place = place;
        sigaction(SIGALRM, &action, NULL);
        r = acceptor_open(&acceptor, place->fds, place->kind->count, getppid(), place->orphan_ms);
        report(place, r == 0 ? 'o' : r == -ESRCH ? 'D' : 'E');
        while (r == 0 && (r = acceptor_wait(&acceptor, &peer, &connection)) == 0) {
                report(place, 'a');
                answer_one(connection);
                report(place, 's');
        }
        report(place, r == -ESHUTDOWN && door_is_orphaned() ? 'R' : 'e');
        _exit(0);
}

static int be_master(void *context)
{
        if (fork() == 0) {
                prctl(PR_SET_PDEATHSIG, 0);
                be_orphan(context);
        }
        while (poll(NULL, 0, -1) < 0)
                ;
        return 0;
}

/* Wait for one report; 0 when the worker has ended. */
static char hear(int fd)
{
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        char byte = '?';

        if (poll(&poller, 1, DEADLINE_MS) != 1)
                return '-';
        return read(fd, &byte, 1) == 1 ? byte : 0;
}

static pid_t start_master(struct place *place, int *ret_fd)
{
        int ends[2];

        block_retire_signal();
        if (pipe2(ends, O_CLOEXEC) != 0)
                abort();
        place->report_fd = ends[1];
        pid_t master = child_start(be_master, place);
        close(ends[1]);
        *ret_fd = ends[0];
        return master;
}

static int master_dies_while_idle(struct place *place)
{
        int fd;

        place->orphan_ms = 60000;
        pid_t master = start_master(place, &fd);
        if (hear(fd) != 'o')
                return 1;
        kill(master, SIGKILL);
        child_wait(master, CLIENT_MS);
        char first = hear(fd), second = hear(fd);
        close(fd);
        return first == 'R' && second == 0 ? 0 : 2;
}

static int master_dies_while_busy(struct place *place)
{
        int fd;

        place->orphan_ms = 60000;
        pid_t master = start_master(place, &fd);
        if (hear(fd) != 'o')
                return 1;
        int client = connect_to(&place->addresses[0], CLIENT_MS);
        if (hear(fd) != 'a')
                return 2;
        kill(master, SIGKILL);
        child_wait(master, CLIENT_MS);
        if (talk(client) != 0 || hear(fd) != 's') /* the request is served */
                return 3;
        char first = hear(fd), second = hear(fd);
        close(fd);
        return first == 'R' && second == 0 ? 0 : 4;
}

static int master_dies_and_time_is_up(struct place *place)
{
        int fd;

        place->orphan_ms = 100;
        pid_t master = start_master(place, &fd);
        if (hear(fd) != 'o')
                return 1;
        int client = connect_to(&place->addresses[0], CLIENT_MS); /* silent, so that the request never ends */
        if (hear(fd) != 'a')
                return 2;
        kill(master, SIGKILL);
        child_wait(master, CLIENT_MS);
        char first = hear(fd), second = hear(fd);
        close(fd);
        close(client);
        return first == 'A' && second == 0 ? 0 : 3;
}

#define EACH_KIND(check)                                                                                               \
        static void test_##check(void **state)                                                                         \
        {                                                                                                              \
                (void)state;                                                                                           \
                assert_int_equal(each_kind(check), 0);                                                                 \
        }

EACH_KIND(serves_every_listener)
EACH_KIND(tells_the_peer)
EACH_KIND(retired_before)
EACH_KIND(retired_while_waiting)
EACH_KIND(retired_by_a_door_that_fails)
EACH_KIND(retired_after)
EACH_KIND(nonblock_set_under_it)
EACH_KIND(shut_and_empty)
EACH_KIND(shut_while_waiting)
EACH_KIND(one_of_several_shut)
EACH_KIND(retired_in_a_pause)
EACH_KIND(master_dies_while_idle)
EACH_KIND(master_dies_while_busy)
EACH_KIND(master_dies_and_time_is_up)

static void test_short_of_descriptors(void **state)
{
        (void)state;
        if (under_valgrind()) /* valgrind closes descriptors above its limit */
                skip();
        assert_int_equal(each_kind(short_of_descriptors), 0);
}

static void test_what_is_a_shortage(void **state)
{
        (void)state;
        assert_true(acceptor_is_shortage(-ENFILE) && acceptor_is_shortage(-ENOBUFS) && acceptor_is_shortage(-ENOMEM));
        assert_false(acceptor_is_shortage(0) || acceptor_is_shortage(-ESHUTDOWN) || acceptor_is_shortage(-EBADF));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_serves_every_listener),
                cmocka_unit_test(test_tells_the_peer),
                cmocka_unit_test(test_retired_before),
                cmocka_unit_test(test_retired_while_waiting),
                cmocka_unit_test(test_retired_after),
                cmocka_unit_test(test_nonblock_set_under_it),
                cmocka_unit_test(test_shut_and_empty),
                cmocka_unit_test(test_shut_while_waiting),
                cmocka_unit_test(test_one_of_several_shut),
                cmocka_unit_test(test_all_of_several_shut),
                cmocka_unit_test(test_retired_in_a_pause),
                cmocka_unit_test(test_short_of_descriptors),
                cmocka_unit_test(test_retired_by_a_door_that_fails),
                cmocka_unit_test(test_what_is_a_shortage),
                cmocka_unit_test(test_master_dies_while_idle),
                cmocka_unit_test(test_master_dies_while_busy),
                cmocka_unit_test(test_master_dies_and_time_is_up),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
