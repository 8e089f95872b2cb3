/* MESSAGE_IDs: what the journal takes for one, and no two kinds alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/message_id.h"

static void test_every_kind_has_an_id_of_its_own(void **state)
{
        (void)state;
        assert_null(message_id_text(MESSAGE_ID_NONE));
        for (int i = MESSAGE_ID_NONE + 1; i < MESSAGE_ID_COUNT; i++) {
                const char *text = message_id_text((enum message_id)i);
                assert_non_null(text);
                assert_int_equal(strlen(text), 32);
                assert_int_equal(strspn(text, "0123456789abcdef"), 32);
                for (int other = MESSAGE_ID_NONE + 1; other < i; other++)
                        assert_string_not_equal(message_id_text((enum message_id)other), text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_kind_has_an_id_of_its_own)};

        return cmocka_run_group_tests_name("message_id", tests, NULL, NULL);
}
