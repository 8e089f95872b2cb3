/* The reserve: a library that needs memory gets it when the system has none. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include "os/reserve.h"
#include "unit/child_helpers.h"

#define MEGABYTE ((size_t)1 << 20)

static int like_realloc(void)
{
        if (reserve_open(MEGABYTE) < 0 || reserve_open(MEGABYTE) < 0)
                return 1;
        char *memory = reserve_realloc(NULL, 10);
        if (!memory)
                return 2;
        memcpy(memory, "123456789", 10);
        memory = reserve_realloc(memory, 100000);
        if (!memory || strcmp(memory, "123456789") != 0)
                return 3;
        return reserve_realloc(memory, 0) == NULL && reserve_realloc(NULL, 0) == NULL ? 0 : 4;
}

static void test_like_realloc(void **state)
{
        (void)state;
        in_child(like_realloc);
}

/* More than the heap has at hand, so that it needs the system. */
static int without_memory(void)
{
        char *memory = NULL;

        if (reserve_open(4 * MEGABYTE) < 0)
                return 1;
        memory = reserve_realloc(NULL, 200000);
        if (!memory)
                return 2;
        memset(memory, 'a', 200000);
        setrlimit(RLIMIT_AS, &(struct rlimit){1, 1});
        if (malloc(MEGABYTE) != NULL)
                return 77;
        for (size_t size = 400000; size <= 1600000; size *= 2) {
                memory = reserve_realloc(memory, size);
                if (!memory || (uintptr_t)memory % _Alignof(max_align_t) != 0)
                        return 3;
                for (size_t i = 0; i < size / 2; i++)
                        if (memory[i] != 'a')
                                return 4;
                memset(memory, 'a', size);
        }
        if (reserve_realloc(memory, 3200000) != NULL) /* used up; what was there stays */
                return 5;
        if (memory[1599999] != 'a')
                return 6;
        return reserve_realloc(memory, 0) == NULL ? 0 : 7;
}

static void test_without_memory(void **state)
{
        (void)state;
        if (under_valgrind())
                skip();
        in_child(without_memory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_like_realloc),
                cmocka_unit_test(test_without_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
