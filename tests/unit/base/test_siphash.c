#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/siphash.h"

/* The example of the paper, and more of its authors' vectors for 64 bits: key 00 01 … 0f, message 00 01 … */
static void test_is_what_the_authors_say(void **state)
{
        static const uint64_t key[2] = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
        unsigned char message[64];

        (void)state;
        for (unsigned i = 0; i < sizeof(message); i++)
                message[i] = (unsigned char)i;
        assert_true(siphash(key, message, 0) == 0x726fdb47dd0e0e31ULL);
        assert_true(siphash(key, message, 1) == 0x74f839c593dc67fdULL);
        assert_true(siphash(key, message, 8) == 0x93f5f5799a932462ULL);
        assert_true(siphash(key, message, 15) == 0xa129ca6149be45e5ULL);
}

static void test_the_key_matters(void **state)
{
        static const uint64_t keys[][2] = {{0, 0}, {1, 0}, {0, 1}};

        (void)state;
        for (unsigned i = 1; i < 3; i++)
                assert_true(siphash(keys[0], (const unsigned char *)"abc", 3) !=
                            siphash(keys[i], (const unsigned char *)"abc", 3));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_is_what_the_authors_say),
                cmocka_unit_test(test_the_key_matters),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
