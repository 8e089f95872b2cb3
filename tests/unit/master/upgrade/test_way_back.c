/* The way back: its argument, and when there is none. */
#include "child_helpers.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "master/upgrade/way_back.h"

static char now[] = "--take-over=5";

static void test_written_and_read(void **state)
{
        _cleanup_(freep) char *option = NULL;
        _cleanup_(fd_closep) int fd = -1;
        struct take_over found;

        (void)state;
        assert_int_equal(way_back_open("/usr/sbin/preforkd", &option, &fd), 0);
        assert_true(fd >= 0);
        assert_int_equal(take_over_parse(2, (char *[]){now, option, NULL}, &found), 2);
        assert_true(found.attempt == 1 && found.previous_fd == fd && !found.is_back);
        assert_string_equal(found.previous_path, "/usr/sbin/preforkd");
}

/* Nothing is executed for one that was not executed by an upgrade, nor for a preflight. */
static void test_no_way_back(void **state)
{
        char *argv[] = {(char[]){"preforkd"}, NULL};

        (void)state;
        way_back_go(&(struct take_over){.previous_fd = -1}, NULL, argv);
        way_back_go(&(struct take_over){.wanted = true, .is_preflight = true, .fd = 5, .previous_fd = 0}, NULL, argv);
        way_back_go(&(struct take_over){.wanted = true, .attempt = 100, .fd = 5, .previous_fd = -1}, NULL, argv);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_written_and_read),
                cmocka_unit_test(test_no_way_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
