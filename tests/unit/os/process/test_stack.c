#include <sys/mman.h>

#include "os/process/stack.h"
#include "unit/child_helpers.h"

static const char mark[] = "left on the stack";

/* As deep as a parser goes. Returns where it has left the mark. */
static uintptr_t __attribute__((noinline)) leave(size_t depth)
{
        volatile char place[1024];

        memcpy((char *)(uintptr_t)place, mark, sizeof(mark));
        volatile uintptr_t address = (uintptr_t)place; /* or clang warns of an address that leaves its function */
        return depth > 0 ? leave(depth - 1) + (place[0] == '\0') : address;
}

static void test_nothing_is_left(void **state)
{
        int fds[2];
        char found[sizeof(mark)] = "";

        (void)state;
#ifdef __SANITIZE_ADDRESS__
        print_message("# skip: needs variables on the stack, not where AddressSanitizer has them\n");
        skip();
#endif
        if (under_valgrind()) /* it reports a look at what is no part of the stack any more */
                skip();
        assert_int_equal(pipe(fds), 0);
        for (size_t depth = 0; depth < 200; depth = depth * 2 + 1) {
                const uintptr_t place = leave(depth);
                stack_forget();
                /* By way of the kernel: no call is made that would overwrite it, and a tool may watch the stack. */
                if (write(fds[1], (const void *)place, sizeof(mark)) != sizeof(mark))
                        skip();
                assert_int_equal(read(fds[0], found, sizeof(found)), sizeof(found));
                assert_memory_not_equal(found, mark, sizeof(mark));
        }
        close(fds[0]);
        close(fds[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_is_left)};

        return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
