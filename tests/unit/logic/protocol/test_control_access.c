/* Who may use the control socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/protocol/control_access.h"

static void test_access(void **state)
{
        static const gid_t groups[] = {20, 30}, group = 30, other = 40, own = 7;
        const struct control_client_ids root = {.uid = 0}, self = {.uid = 500}, stranger = {.uid = 501, .gid = 7};
        const struct control_client_ids member = {.uid = 501, .gid = 7, .groups = groups, .group_count = 2};

        (void)state;
        assert_true(control_access_allowed(&root, 500, NULL));
        assert_true(control_access_allowed(&self, 500, NULL));
        assert_false(control_access_allowed(&stranger, 500, NULL));
        assert_false(control_access_allowed(&stranger, 500, &group));
        assert_true(control_access_allowed(&stranger, 500, &own)); /* its primary group */
        assert_true(control_access_allowed(&member, 500, &group));
        assert_false(control_access_allowed(&member, 500, &other));
        assert_false(control_access_allowed(&member, 0, NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_access)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
