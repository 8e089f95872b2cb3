#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "os/scoreboard_memory.h"
#include "unit/child_helpers.h"

static void test_header_is_filled_in(void **state)
{
        struct prefork_scoreboard *board = NULL;
        int fd = -1;

        (void)state;
        assert_int_equal(scoreboard_memory_open("web", &board, &fd), 0);
        assert_true(board->magic == PREFORK_SCOREBOARD_MAGIC);
        assert_memory_equal(&board->magic, "PRKFBORD", 8);
        assert_int_equal(board->version, PREFORK_SCOREBOARD_VERSION);
        assert_int_equal(board->header_bytes, (const char *)board->slots - (const char *)board);
        assert_int_equal(board->slot_bytes, sizeof(board->slots[0]));
        assert_int_equal(board->slot_count, PREFORK_SCOREBOARD_SLOTS);
        assert_int_equal(board->low_below, 0);
        assert_int_equal(board->high_above, UINT32_MAX);
        assert_int_equal(board->notify_busy, 0);
        for (uint32_t i = 0; i < PREFORK_SCOREBOARD_SLOTS / 64; i++)
                assert_true(board->idle[i] == 0);
        scoreboard_memory_close(board);
        scoreboard_memory_close(NULL);
        close(fd);
}

static void test_nobody_can_take_the_pages_away(void **state)
{
        const off_t size = sizeof(struct pool_memory);
        struct prefork_scoreboard *board = NULL;
        struct stat status;
        int fd = -1;

        (void)state;
        assert_int_equal(scoreboard_memory_open("web", &board, &fd), 0);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        assert_int_equal(ftruncate(fd, size - 4096), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(ftruncate(fd, size + 4096), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1); /* would stop the workers' reports */
        assert_int_equal(errno, EPERM);
        assert_int_equal(fstat(fd, &status), 0);
        assert_int_equal(status.st_size, size);
        assert_true(status.st_blocks * 512 <= 64L * 1024); /* room for 65,536 slots, pages for those in use */
        scoreboard_memory_close(board);
        close(fd);
}

/* Map it by its descriptor, as a program does that reports through libprefork. */
static void test_can_be_mapped_again(void **state)
{
        struct prefork_scoreboard *board = NULL;
        int fd = -1;

        (void)state;
        assert_int_equal(scoreboard_memory_open("web", &board, &fd), 0);
        struct prefork_scoreboard *other = mmap(NULL, sizeof(*other), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(other != MAP_FAILED);
        other->slots[PREFORK_SCOREBOARD_SLOTS - 1].durations[PREFORK_DURATION_BUCKETS - 1] = 4711;
        assert_int_equal(board->slots[PREFORK_SCOREBOARD_SLOTS - 1].durations[PREFORK_DURATION_BUCKETS - 1], 4711);
        scoreboard_memory_close(board);
        assert_true(other->magic == PREFORK_SCOREBOARD_MAGIC); /* the pages exist as long as a process maps them */
        munmap(other, sizeof(*other));
        close(fd);
}

/* After an upgrade: what workers have written into the header is not believed, but restored. */
static void test_adopt(void **state)
{
        struct prefork_scoreboard *board = NULL, *other = NULL;
        _cleanup_(fd_closep) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        int fd = -1;

        (void)state;
        assert_int_equal(scoreboard_memory_open("web", &board, &fd), 0);
        board->slots[7].requests_begun = 4711;
        assert_int_equal(scoreboard_memory_adopt(fd, &other), 0);
        assert_int_equal(other->slots[7].requests_begun, 4711);
        scoreboard_memory_close(other);
        other = NULL;
        assert_int_equal(scoreboard_memory_adopt(null_fd, &other), -EPROTO);
        assert_int_equal(scoreboard_memory_adopt(-1, &other), -EBADF);
        assert_null(other);
        memset(board, 0xff, offsetof(struct prefork_scoreboard, low_below));
        assert_int_equal(scoreboard_memory_adopt(fd, &other), 0);
        assert_true(board->magic == PREFORK_SCOREBOARD_MAGIC);
        assert_int_equal(board->version, PREFORK_SCOREBOARD_VERSION);
        assert_int_equal(board->header_bytes, (const char *)board->slots - (const char *)board);
        assert_int_equal(board->slot_bytes, sizeof(board->slots[0]));
        assert_int_equal(board->slot_count, PREFORK_SCOREBOARD_SLOTS);
        assert_int_equal(board->slots[7].requests_begun, 4711);
        scoreboard_memory_close(other);
        scoreboard_memory_close(board);
        close(fd);
}

/* Each pool has a key of its own, and an upgrade keeps it. */
static void test_keys(void **state)
{
        struct prefork_scoreboard *boards[2] = {0}, *other = NULL;
        int fds[2] = {-1, -1};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(scoreboard_memory_open("web", &boards[i], &fds[i]), 0);
                assert_true(rate_table_of(boards[i])->key[0] != 0 && rate_table_of(boards[i])->key[1] != 0);
        }
        assert_true(rate_table_of(boards[0])->key[0] != rate_table_of(boards[1])->key[0]);
        assert_int_equal(scoreboard_memory_adopt(fds[0], &other), 0);
        assert_true(rate_table_of(boards[0])->key[1] == rate_table_of(other)->key[1]);
        scoreboard_memory_close(other);
        for (size_t i = 0; i < 2; i++) {
                scoreboard_memory_close(boards[i]);
                close(fds[i]);
        }
}

static struct prefork_scoreboard *inherited;

static int can_read_it(void)
{
        return inherited->version == PREFORK_SCOREBOARD_VERSION ? 1 : 2;
}

/* A child that looks at the master's mapping dies of it; what it maps itself works. */
static void test_children_do_not_have_it(void **state)
{
        struct prefork_scoreboard *mapped = NULL;
        int fd = -1, status;

        (void)state;
        assert_int_equal(scoreboard_memory_open("web", &inherited, &fd), 0);
        pid_t pid = fork();
        if (pid == 0) {
                signal(SIGSEGV, SIG_DFL);
                _exit(can_read_it());
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
        scoreboard_memory_close(inherited);
        assert_int_equal(scoreboard_memory_map(fd, &mapped), 0);
        pid = fork();
        if (pid == 0)
                _exit(mapped->version == PREFORK_SCOREBOARD_VERSION ? 0 : 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        scoreboard_memory_close(mapped);
        close(fd);
}

static void test_long_names(void **state)
{
        char name[400];
        struct prefork_scoreboard *board = NULL;
        int fd = -1;

        (void)state;
        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        assert_int_equal(scoreboard_memory_open(name, &board, &fd), 0);
        scoreboard_memory_close(board);
        close(fd);
}

static int fails_cleanly(void)
{
        struct prefork_scoreboard *board = (void *)&board;
        int fd = 77;

        setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0});
        if (scoreboard_memory_open("web", &board, &fd) != -EMFILE)
                return 1;
        return board == (void *)&board && fd == 77 ? 0 : 2;
}

static void test_fails_cleanly(void **state)
{
        (void)state;
        if (under_valgrind())
                skip();
        in_child(fails_cleanly);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_header_is_filled_in),
                cmocka_unit_test(test_nobody_can_take_the_pages_away),
                cmocka_unit_test(test_can_be_mapped_again),
                cmocka_unit_test(test_keys),
                cmocka_unit_test(test_long_names),
                cmocka_unit_test(test_adopt),
                cmocka_unit_test(test_children_do_not_have_it),
                cmocka_unit_test(test_fails_cleanly),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
