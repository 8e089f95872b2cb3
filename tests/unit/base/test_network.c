/* Networks: parsed strictly, written as they are read. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/network.h"

static void test_forms(void **state)
{
        static const struct {
                const char *text, *shown;
        } cases[] = {
                {"192.0.2.1", "192.0.2.1"},
                {"192.0.2.1/32", "192.0.2.1"},
                {"192.0.2.0/24", "192.0.2.0/24"},
                {"0.0.0.0/0", "0.0.0.0/0"},
                {"128.0.0.0/1", "128.0.0.0/1"},
                {"2001:DB8:0::/32", "2001:db8::/32"},
                {"::/0", "::/0"},
                {"::1", "::1"},
                {"fe80::1/128", "fe80::1"},
                {"::ffff:192.0.2.0/120", "192.0.2.0/24"},
                {"::ffff:192.0.2.1", "192.0.2.1"},
                {"::ffff:0:0/96", "0.0.0.0/0"},
                {"::ffff:0:0/95", NULL}, /* a bit beyond the prefix */
                {"::fffe:0:0/95", "::fffe:0:0/95"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[NETWORK_TEXT_MAX];
                struct network network;
                assert_int_equal(network_parse(cases[i].text, &network), cases[i].shown ? 0 : -EDOM);
                network_format(&network, text);
                assert_string_equal(text, cases[i].shown ? cases[i].shown : "::fffe:0:0/95");
        }
}

static void test_what_is_none(void **state)
{
        static const struct {
                const char *text;
                int error;
        } cases[] = {
                {"", EINVAL},
                {"/", EINVAL},
                {"/8", EINVAL},
                {"10.0.0.0/", EINVAL},
                {"10.0.0.0/ 8", EINVAL},
                {"10.0.0.0/+8", EINVAL},
                {"10.0.0.0/08", EINVAL},
                {"10.0.0.0/8/8", EINVAL},
                {"10.0.0.0/255.0.0.0", EINVAL},
                {"10.0.0.0/33", ERANGE},
                {"::/129", ERANGE},
                {"10.0.0.0/1000", EINVAL},
                {"10.0.0/8", EINVAL},
                {"010.0.0.0/8", EINVAL},
                {"fe80::1%eth0", EINVAL},
                {"[::1]", EINVAL},
                {"localhost", EINVAL},
                {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", EINVAL},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct network network = {.prefix = 7};
                assert_int_equal(network_parse(cases[i].text, &network), -cases[i].error);
                assert_int_equal(network.prefix, 7);
        }
}

static void test_bits_beyond_the_prefix(void **state)
{
        struct network network;
        char text[NETWORK_TEXT_MAX];

        (void)state;
        assert_int_equal(network_parse("10.1.2.3/12", &network), -EDOM);
        network_format(&network, text);
        assert_string_equal(text, "10.0.0.0/12");
        assert_int_equal(network_parse("2001:db8::1/33", &network), -EDOM);
        network_format(&network, text);
        assert_string_equal(text, "2001:db8::/33");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forms),
                cmocka_unit_test(test_what_is_none),
                cmocka_unit_test(test_bits_beyond_the_prefix),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
