#include <sys/resource.h>

#include "logic/policy/slot_allocator.h"
#include "unit/child_helpers.h"

static uint32_t take(struct slot_allocator *allocator)
{
        uint32_t slot = UINT32_MAX;

        assert_int_equal(slot_allocator_take(allocator, &slot), 0);
        return slot;
}

static void test_lowest_first(void **state)
{
        struct slot_allocator *allocator = NULL;

        (void)state;
        assert_int_equal(slot_allocator_new(256, &allocator), 0);
        for (uint32_t i = 0; i < 200; i++)
                assert_int_equal(take(allocator), i);
        slot_allocator_release(allocator, 199);
        slot_allocator_release(allocator, 64);
        slot_allocator_release(allocator, 3);
        slot_allocator_release(allocator, 63);
        assert_int_equal(take(allocator), 3);
        assert_int_equal(take(allocator), 63);
        assert_int_equal(take(allocator), 64);
        assert_int_equal(take(allocator), 199);
        assert_int_equal(take(allocator), 200);
        slot_allocator_free(allocator);
}

static void test_full_and_again(void **state)
{
        struct slot_allocator *allocator = NULL;
        uint32_t slot = 4711;

        (void)state;
        assert_int_equal(slot_allocator_new(65536, &allocator), 0);
        for (uint32_t i = 0; i < 65536; i++)
                assert_int_equal(take(allocator), i);
        assert_int_equal(slot_allocator_take(allocator, &slot), -ENOSPC);
        assert_int_equal(slot_allocator_take(allocator, &slot), -ENOSPC);
        assert_int_equal(slot, 4711);
        slot_allocator_release(allocator, 65535);
        assert_int_equal(take(allocator), 65535);
        slot_allocator_release(allocator, 0);
        assert_int_equal(take(allocator), 0);
        assert_int_equal(slot_allocator_take(allocator, &slot), -ENOSPC);
        slot_allocator_free(allocator);
        slot_allocator_free(NULL);
}

/* Against a plain array of flags. */
static void test_like_a_model(void **state)
{
        enum { SLOTS = 320 };
        bool taken[SLOTS] = {false};
        struct slot_allocator *allocator = NULL;
        unsigned seed = 20240229;

        (void)state;
        assert_int_equal(slot_allocator_new(SLOTS, &allocator), 0);
        for (unsigned step = 0; step < 200000; step++) {
                uint32_t lowest = 0, slot = UINT32_MAX, candidate = (uint32_t)rand_r(&seed) % SLOTS;
                if (taken[candidate] && rand_r(&seed) % 100 < 55) {
                        slot_allocator_release(allocator, candidate);
                        taken[candidate] = false;
                        continue;
                }
                while (lowest < SLOTS && taken[lowest])
                        lowest++;
                assert_int_equal(slot_allocator_take(allocator, &slot), lowest < SLOTS ? 0 : -ENOSPC);
                if (lowest == SLOTS)
                        continue;
                assert_int_equal(slot, lowest);
                taken[lowest] = true;
        }
        slot_allocator_free(allocator);
}

/* A slot that is known to be in use: once, and only if there is one of that number. */
static void test_claim(void **state)
{
        struct slot_allocator *allocator = NULL;
        uint32_t slot;

        (void)state;
        assert_int_equal(slot_allocator_new(128, &allocator), 0);
        assert_int_equal(slot_allocator_claim(allocator, 1), 0);
        assert_int_equal(slot_allocator_claim(allocator, 127), 0);
        assert_int_equal(slot_allocator_claim(allocator, 1), -EBUSY);
        assert_int_equal(slot_allocator_claim(allocator, 128), -EINVAL);
        assert_int_equal(slot_allocator_claim(allocator, UINT32_MAX), -EINVAL);
        for (uint32_t expected = 0; expected < 127; expected++)
                if (expected != 1) {
                        assert_int_equal(slot_allocator_take(allocator, &slot), 0);
                        assert_int_equal(slot, expected);
                }
        assert_int_equal(slot_allocator_take(allocator, &slot), -ENOSPC);
        slot_allocator_release(allocator, 1);
        assert_int_equal(slot_allocator_claim(allocator, 1), 0);
        slot_allocator_free(allocator);
}

static int release_twice(void)
{
        struct slot_allocator *allocator = NULL;
        uint32_t slot;

        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        fclose(stderr); /* what assert says is expected, and would only alarm readers of the log */
        signal(SIGABRT, SIG_DFL);
        if (slot_allocator_new(64, &allocator) != 0 || slot_allocator_take(allocator, &slot) != 0)
                return 1;
        slot_allocator_release(allocator, slot);
        slot_allocator_release(allocator, slot);
        return 0;
}

static int call(void *context)
{
        (void)context;
        return release_twice();
}

/* A slot that is free twice would be two workers' soon: our own bug, and it asserts. */
static void test_double_release_asserts(void **state)
{
        (void)state;
        assert_int_equal(child_wait(child_start(call, NULL), DEADLINE_MS), -SIGABRT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lowest_first),           cmocka_unit_test(test_full_and_again),
                cmocka_unit_test(test_like_a_model),           cmocka_unit_test(test_claim),
                cmocka_unit_test(test_double_release_asserts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
