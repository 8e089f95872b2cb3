/* How welcome a type of content is, whatever a client writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "logic/protocol/http_accept.h"

static void test_quality(void **state)
{
        static const struct {
                const char *header;
                unsigned quality;
                bool named;
        } cases[] = {
                {NULL, 1000, false},
                {"", 1000, false},
                {"  \t", 1000, false},
                {"*/*", 1000, false},
                {"*", 1000, false},
                {"text/*", 1000, false},
                {"text/plain", 1000, true},
                {"TEXT/Plain", 1000, true},
                {" text/plain ; q=0.25 ", 250, true},
                {"text/plain;q=0", 0, true},
                {"text/plain;q=0.001", 1, true},
                {"text/plain;q=0.0001", 0, true},
                {"text/plain;q=1.000", 1000, true},
                {"text/plain;q=7", 1000, true},
                {"text/plain;q=much", 1000, true},
                {"text/plain;q=", 1000, true},
                {"text/plain;q", 1000, true},
                {"text/plain;Q=0.5", 500, true},
                {"text/plain;version=0.0.4;q=0.5,*/*;q=0.1", 500, true},
                {"text/plain;version=0.0.3;q=0.5,*/*;q=0.1", 100, false},
                {"text/plain;charset=utf-8;q=0.5", 500, true},
                {"*/*;q=0.9,text/*;q=0.3", 300, false},
                {"text/plain;q=0,*/*", 0, true},
                {"text/plain;q=0.2,text/plain;q=0.7", 700, true},
                {"image/png", 0, false},
                {"image/png,*/*;q=0.5", 500, false},
                {"text", 0, false},
                {"text/", 0, false},
                {"/", 0, false},
                {",,,;;;,=,", 0, false},
                {"text/plainer", 0, false},
                {"text/plai", 0, false},
                {"texts/*", 0, false},
                {",text/plain,", 1000, true},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                bool named = !cases[i].named;
                unsigned quality = http_accept_quality(cases[i].header, "text/plain", "0.0.4", &named);
                if (quality != cases[i].quality || named != cases[i].named)
                        fail_msg("\"%s\": %u, %d", cases[i].header ? cases[i].header : "(none)", quality, named);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_quality)};

        return cmocka_run_group_tests_name("http_accept", tests, NULL, NULL);
}
