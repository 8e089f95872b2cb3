#include <sys/resource.h>

#include "logic/policy/slot_allocator.h"
#include "unit/child_helpers.h"

static uint32_t take(struct slot_allocator *allocator)
{
        uint32_t slot = UINT32_MAX;

        assert_int_equal(slot_allocator_take(allocator, 1, &slot), 0);
        return slot;
}

static void test_lowest_first(void **state)
{
        struct slot_allocator *allocator = NULL;

        (void)state;
        assert_int_equal(slot_allocator_new(256, &allocator), 0);
        for (uint32_t i = 0; i < 200; i++)
                assert_int_equal(take(allocator), i);
        slot_allocator_release(allocator, 199, 1);
        slot_allocator_release(allocator, 64, 1);
        slot_allocator_release(allocator, 3, 1);
        slot_allocator_release(allocator, 63, 1);
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
        assert_int_equal(slot_allocator_take(allocator, 1, &slot), -ENOSPC);
        assert_int_equal(slot_allocator_take(allocator, 1, &slot), -ENOSPC);
        assert_int_equal(slot, 4711);
        slot_allocator_release(allocator, 65535, 1);
        assert_int_equal(take(allocator), 65535);
        slot_allocator_release(allocator, 0, 1);
        assert_int_equal(take(allocator), 0);
        assert_int_equal(slot_allocator_take(allocator, 1, &slot), -ENOSPC);
        slot_allocator_free(allocator);
        slot_allocator_free(NULL);
}

/* The first of the lowest `count` free flags in a row; `slots`: there are none. */
static uint32_t lowest_run(const bool *taken, uint32_t slots, uint32_t count)
{
        for (uint32_t first = 0, found; first + count <= slots; first++) {
                for (found = 0; found < count && !taken[first + found]; found++)
                        ;
                if (found == count)
                        return first;
        }
        return slots;
}

/* Against a plain array of flags, with runs of 1 to 70 slots. */
static void test_like_a_model(void **state)
{
        enum { SLOTS = 320, LONGEST = 70 };
        uint32_t runs[SLOTS] = {0};
        bool taken[SLOTS] = {false};
        struct slot_allocator *allocator = NULL;
        unsigned seed = 20240229;

        (void)state;
        assert_int_equal(slot_allocator_new(SLOTS, &allocator), 0);
        for (unsigned step = 0; step < 200000; step++) {
                uint32_t slot = UINT32_MAX, candidate = (uint32_t)rand_r(&seed) % SLOTS;
                uint32_t count = rand_r(&seed) % 8 == 0 ? 1 + (uint32_t)rand_r(&seed) % LONGEST
                                                        : 1 + (uint32_t)rand_r(&seed) % 5;
                if (runs[candidate] > 0 && rand_r(&seed) % 100 < 70) {
                        slot_allocator_release(allocator, candidate, runs[candidate]);
                        memset(&taken[candidate], 0, runs[candidate]);
                        runs[candidate] = 0;
                        continue;
                }
                uint32_t lowest = lowest_run(taken, SLOTS, count);
                assert_int_equal(slot_allocator_take(allocator, count, &slot), lowest < SLOTS ? 0 : -ENOSPC);
                if (lowest == SLOTS)
                        continue;
                assert_int_equal(slot, lowest);
                runs[slot] = count;
                memset(&taken[slot], 1, count);
        }
        slot_allocator_free(allocator);
}

/* Runs cross the words of the bitmap, and a gap that is too short is left. */
static void test_runs(void **state)
{
        struct slot_allocator *allocator = NULL;
        uint32_t slot = 4711;

        (void)state;
        assert_int_equal(slot_allocator_new(128, &allocator), 0);
        assert_int_equal(slot_allocator_take(allocator, 62, &slot), 0);
        assert_int_equal(slot, 0);
        assert_int_equal(slot_allocator_take(allocator, 4, &slot), 0);
        assert_int_equal(slot, 62);
        slot_allocator_release(allocator, 10, 3);
        assert_int_equal(slot_allocator_take(allocator, 4, &slot), 0);
        assert_int_equal(slot, 66);
        assert_int_equal(slot_allocator_take(allocator, 3, &slot), 0);
        assert_int_equal(slot, 10);
        assert_int_equal(slot_allocator_take(allocator, 59, &slot), -ENOSPC);
        assert_int_equal(slot, 10);
        assert_int_equal(slot_allocator_take(allocator, 58, &slot), 0);
        assert_int_equal(slot, 70);
        assert_int_equal(slot_allocator_take(allocator, 1, &slot), -ENOSPC);
        slot_allocator_free(allocator);
}

/* A run of which one slot is taken is not taken at all. */
static void test_claim_runs(void **state)
{
        struct slot_allocator *allocator = NULL;

        (void)state;
        assert_int_equal(slot_allocator_new(128, &allocator), 0);
        assert_int_equal(slot_allocator_claim(allocator, 66, 1), 0);
        assert_int_equal(slot_allocator_claim(allocator, 60, 7), -EBUSY);
        assert_int_equal(slot_allocator_claim(allocator, 60, 6), 0);
        assert_int_equal(slot_allocator_claim(allocator, 125, 4), -EINVAL);
        assert_int_equal(slot_allocator_claim(allocator, 125, UINT32_MAX), -EINVAL);
        assert_int_equal(slot_allocator_claim(allocator, 1, 0), -EINVAL);
        assert_int_equal(slot_allocator_claim(allocator, 125, 3), 0);
        slot_allocator_free(allocator);
}

/* A slot that is known to be in use: once, and only if there is one of that number. */
static void test_claim(void **state)
{
        struct slot_allocator *allocator = NULL;
        uint32_t slot;

        (void)state;
        assert_int_equal(slot_allocator_new(128, &allocator), 0);
        assert_int_equal(slot_allocator_claim(allocator, 1, 1), 0);
        assert_int_equal(slot_allocator_claim(allocator, 127, 1), 0);
        assert_int_equal(slot_allocator_claim(allocator, 1, 1), -EBUSY);
        assert_int_equal(slot_allocator_claim(allocator, 128, 1), -EINVAL);
        assert_int_equal(slot_allocator_claim(allocator, UINT32_MAX, 1), -EINVAL);
        for (uint32_t expected = 0; expected < 127; expected++)
                if (expected != 1) {
                        assert_int_equal(slot_allocator_take(allocator, 1, &slot), 0);
                        assert_int_equal(slot, expected);
                }
        assert_int_equal(slot_allocator_take(allocator, 1, &slot), -ENOSPC);
        slot_allocator_release(allocator, 1, 1);
        assert_int_equal(slot_allocator_claim(allocator, 1, 1), 0);
        slot_allocator_free(allocator);
}

static int release_twice(void)
{
        struct slot_allocator *allocator = NULL;
        uint32_t slot;

        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        fclose(stderr); /* what assert says is expected, and would only alarm readers of the log */
        signal(SIGABRT, SIG_DFL);
        if (slot_allocator_new(64, &allocator) != 0 || slot_allocator_take(allocator, 1, &slot) != 0)
                return 1;
        slot_allocator_release(allocator, slot, 1);
        slot_allocator_release(allocator, slot, 1);
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
                cmocka_unit_test(test_lowest_first),
                cmocka_unit_test(test_full_and_again),
                cmocka_unit_test(test_like_a_model),
                cmocka_unit_test(test_claim),
                cmocka_unit_test(test_double_release_asserts),
                cmocka_unit_test(test_runs),
                cmocka_unit_test(test_claim_runs),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
