#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "builtin/builtin.h"
#include "logic/config/builtins.h"

/* The configuration takes a name if and only if there is such a handler, here or in an object. */
static void test_every_name_has_a_handler(void **state)
{
        (void)state;
        for (size_t i = 0; i < builtin_names_count; i++) {
                const struct prefork_module *module = builtin_find(builtin_names[i].name);
                if (strcmp(builtin_names[i].name, BUILTIN_STATUS) == 0) { /* in an object of its own */
                        assert_null(module);
                        continue;
                }
                assert_non_null(module);
                assert_int_equal(module->abi, PREFORK_MODULE_ABI);
                assert_non_null(module->serve);
                assert_int_equal(module->init != NULL, builtin_names[i].argument != NULL);
        }
        assert_null(builtin_find("nothing"));
        assert_null(builtin_name_find("nothing"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_name_has_a_handler)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
