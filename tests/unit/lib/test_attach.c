#include "lib/attach.h"

#include "unit/board_helpers.h"
#include "unit/socket_helpers.h"

/* Variables in the order of enum attach_variable, and others before and after them. */
enum { PID_AT = 1, LISTENERS_AT = 7, STATM_AT = 9, ALL = 12 };

struct environment {
        char text[ALL][80];
        char *vector[ALL + 1];
};

static struct environment *environment_new(void)
{
        static const char *const all[ALL] = {
                "A=1",
                "PREFORK_PID=100",
                "PREFORK_MASTER_PID=1",
                "PREFORK_SLOT=7",
                "PREFORK_SCOREBOARD_FD=11",
                "PREFORK_WAKE_FD=12",
                "PREFORK_LISTEN_FD=3",
                "PREFORK_LISTEN_FDS=2",
                "PREFORK_ORPHAN_TIMEOUT_MS=30000",
                "PREFORK_STATM_FD=13",
                "PREFORKED=2",
                "PREFORK_SLOTS=3",
        };
        static struct environment environment;

        for (size_t i = 0; i < ALL; i++) {
                snprintf(environment.text[i], sizeof(environment.text[i]), "%s", all[i]);
                environment.vector[i] = environment.text[i];
        }
        return &environment;
}

static void test_reads_what_was_set(void **state)
{
        struct attachment attachment = {0};

        (void)state;
        assert_int_equal(attach_read(environment_new()->vector, 100, &attachment), 0);
        assert_int_equal(attachment.values[ATTACH_SLOT], 7);
        assert_int_equal(attachment.values[ATTACH_LISTEN_FDS], 2);
        assert_int_equal(attachment.values[ATTACH_STATM_FD], 13);
        assert_true(attachment.has[ATTACH_STATM_FD]);
        assert_false(attachment.has[ATTACH_PRELOAD]);
}

static void test_memory_may_be_unknown(void **state)
{
        struct environment *environment = environment_new();
        struct attachment attachment = {.has = {[ATTACH_STATM_FD] = true}};

        (void)state;
        environment->text[STATM_AT][0] = '_';
        assert_int_equal(attach_read(environment->vector, 100, &attachment), 0);
        assert_false(attachment.has[ATTACH_STATM_FD]);
}

static void test_is_for_one_process_only(void **state)
{
        struct environment *environment = environment_new();
        struct attachment attachment;

        (void)state;
        assert_int_equal(attach_read(environment->vector, 101, &attachment), -ENOENT);
        environment->text[PID_AT][0] = '_';
        assert_int_equal(attach_read(environment->vector, 100, &attachment), -ENOENT);
        assert_int_equal(attach_read(NULL, 100, &attachment), -ENOENT);
}

static void test_each_must_be_there_and_a_number(void **state)
{
        static const char *const bad[] = {"", "x", "-1", "1 ", "99999999999"};
        struct attachment attachment;

        (void)state;
        for (size_t i = PID_AT; i <= STATM_AT; i++)
                for (size_t j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
                        struct environment *environment = environment_new();
                        char *value = strchr(environment->text[i], '=') + 1;
                        snprintf(value, 20, "%s", bad[j]);
                        assert_int_equal(attach_read(environment->vector, 100, &attachment), -EINVAL);
                }
        for (size_t i = PID_AT + 1; i < STATM_AT; i++) {
                struct environment *environment = environment_new();
                environment->text[i][0] = '_';
                assert_int_equal(attach_read(environment->vector, 100, &attachment), -EINVAL);
        }
        struct environment *environment = environment_new();
        strchr(environment->text[LISTENERS_AT], '=')[1] = '0';
        assert_int_equal(attach_read(environment->vector, 100, &attachment), -EINVAL);
}

/* A template has no slot and no listeners, and cannot take one. */
static void test_a_template_has_no_slot(void **state)
{
        char pid[] = "PREFORK_PID=100", master[] = "PREFORK_MASTER_PID=1", fd[] = "PREFORK_TEMPLATE_FD=3";
        char timeout[] = "PREFORK_ORPHAN_TIMEOUT_MS=30000";
        char *vector[] = {pid, master, timeout, fd, NULL};
        struct attachment attachment = {0};
        struct request_desk desk = {0};

        (void)state;
        assert_int_equal(attach_read(vector, 100, &attachment), 0);
        assert_true(attachment.has[ATTACH_TEMPLATE_FD]);
        assert_false(attachment.has[ATTACH_SLOT]);
        assert_int_equal(attachment.values[ATTACH_TEMPLATE_FD], 3);
        assert_int_equal(attach_take(&attachment, &desk), -EINVAL);
        master[0] = '_';
        assert_int_equal(attach_read(vector, 100, &attachment), -EINVAL);
}

static void test_forget_leaves_all_others(void **state)
{
        char **vector = environment_new()->vector;

        (void)state;
        attach_forget(vector);
        assert_string_equal(vector[0], "A=1");
        assert_string_equal(vector[1], "PREFORKED=2");
        assert_string_equal(vector[2], "PREFORK_SLOTS=3");
        assert_null(vector[3]);
        attach_forget(vector + 3);
}

static struct attachment good_attachment(const struct fixture *fixture, int listener)
{
        return (struct attachment){.values = {[ATTACH_SLOT] = 7,
                                              [ATTACH_SCOREBOARD_FD] = (uint64_t)fixture->board_fd,
                                              [ATTACH_WAKE_FD] = (uint64_t)fixture->wake_fds[1],
                                              [ATTACH_LISTEN_FD] = (uint64_t)listener,
                                              [ATTACH_LISTEN_FDS] = 1}};
}

static void test_takes_no_other_descriptor(void **state)
{
        const struct fixture *fixture = *state;
        struct address address = unique_address(AF_INET);
        int listener = listen_on(&address, 0), connection = connect_to(&address, 1000);
        static const enum attach_variable checked[] = {ATTACH_SCOREBOARD_FD, ATTACH_WAKE_FD, ATTACH_LISTEN_FD};
        const int others[] = {connection, 999999};
        struct request_desk desk = {0};

        for (size_t i = 0; i < sizeof(checked) / sizeof(checked[0]); i++)
                for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++) {
                        struct attachment attachment = good_attachment(fixture, listener);
                        attachment.values[checked[i]] = (uint64_t)others[j];
                        assert_int_equal(attach_take(&attachment, &desk), -EINVAL);
                }
        struct attachment attachment = good_attachment(fixture, listener);
        fixture->board->version++;
        assert_int_equal(attach_take(&attachment, &desk), -EPROTO);
        fixture->board->version--;
        fcntl(fixture->board_fd, F_SETFD, 0);
        assert_int_equal(attach_take(&attachment, &desk), 0);
        assert_int_equal(fcntl(fixture->board_fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(desk.slot.index, 7);
        shutdown(listener, SHUT_RD); /* it has drained while the program started */
        assert_int_equal(attach_take(&attachment, &desk), 0);
        close(connection);
        close(listener);
}

/* A preforkd that is older than this library has no rates behind its scoreboard. */
static void test_takes_an_older_scoreboard(void **state)
{
        struct fixture *fixture = *state;
        struct address address = unique_address(AF_INET);
        int listener = listen_on(&address, 0), before = fixture->board_fd;
        struct request_desk desk = {0};
        struct address peer;

        fixture->board_fd = memfd_create("old", MFD_CLOEXEC);
        assert_int_equal(ftruncate(fixture->board_fd, sizeof(struct prefork_scoreboard)), 0);
        assert_int_equal(write(fixture->board_fd, fixture->board, 64), 64);
        struct attachment attachment = good_attachment(fixture, listener);
        assert_int_equal(attach_take(&attachment, &desk), 0);
        assert_null(desk.slot.rates);
        desk.slot.board->max_connections_per_source = 1;
        assert_int_equal(address_parse("192.0.2.1:80", &peer), 0);
        assert_true(request_source(&desk, &peer, -1) != 0);
        attachment.has[ATTACH_STATM_FD] = false;
        attachment.values[ATTACH_WAKE_FD] = (uint64_t)dup(fixture->wake_fds[1]);
        attach_give_back(&attachment, &desk);
        fixture->board_fd = before;
        close(listener);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reads_what_was_set),
                cmocka_unit_test(test_memory_may_be_unknown),
                cmocka_unit_test(test_is_for_one_process_only),
                cmocka_unit_test(test_each_must_be_there_and_a_number),
                cmocka_unit_test(test_a_template_has_no_slot),
                cmocka_unit_test(test_forget_leaves_all_others),
                cmocka_unit_test_setup_teardown(test_takes_no_other_descriptor, board_setup, board_teardown),
                cmocka_unit_test_setup_teardown(test_takes_an_older_scoreboard, board_setup, board_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
