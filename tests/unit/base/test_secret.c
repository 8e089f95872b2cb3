#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/secret.h"
#include "base/secret_words.h"

/* Does a child that is forked now have it? A write of memory that is not there fails with EFAULT. */
static bool is_inherited(const void *memory)
{
        int fds[2], status;

        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(write(fds[1], memory, 1) == 1 ? 0 : errno == EFAULT ? 1 : 2);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        close(fds[0]);
        close(fds[1]);
        return WEXITSTATUS(status) == 0;
}

static void test_children_have_it_only_while_it_is_shared(void **state)
{
        char *first = secret_new(10), *secret = secret_new(100000), *last = secret_new(1);

        (void)state;
        assert_true(first && secret && last);
        for (int i = 0; i < 3; i++) {
                assert_false(is_inherited(secret));
                assert_int_equal(secret_share(secret), 0);
                assert_true(is_inherited(secret));
                assert_true(is_inherited(secret + 99999));
                assert_false(is_inherited(first));
                assert_false(is_inherited(last));
                secret_unshare(secret);
                assert_false(is_inherited(secret + 99999));
        }
        secret_free(first);
        secret_freep(&secret);
        assert_null(secret);
        secret_free(last);
}

static void test_it_is_zero_and_aligned(void **state)
{
        const char zeros[5000] = {0};
        char *secret = secret_new(sizeof(zeros));

        (void)state;
        assert_memory_equal(secret, zeros, sizeof(zeros));
        assert_int_equal((uintptr_t)secret % 16, 0);
        memset(secret, 1, sizeof(zeros));
        secret_free(secret);
        assert_null(secret_new(SIZE_MAX));
        assert_null(secret_new(SIZE_MAX / 2));
}

static void test_nothing_is_fine(void **state)
{
        void *nothing = NULL;

        (void)state;
        assert_int_equal(secret_share(NULL), 0);
        secret_unshare(NULL);
        secret_free(NULL);
        secret_freep(&nothing);
        wiped_free(NULL);
        wiped_freep(&nothing);
}

static void test_memory_that_grows(void **state)
{
        char *memory = wiped_realloc(NULL, 4);

        (void)state;
        memcpy(memory, "abc", 4);
        for (size_t size = 5; size < 100000; size = size * 3 / 2) {
                memory = wiped_realloc(memory, size);
                assert_string_equal(memory, "abc");
                memory[size - 1] = '\0';
        }
        memory = wiped_realloc(memory, 4);
        assert_string_equal(memory, "abc");
        wiped_freep(&memory);
        assert_null(memory);
}

static void assert_words(const struct secret_words *secret, size_t count, const char *const *words)
{
        const struct words view = secret_words_view(secret);

        assert_int_equal(view.count, count);
        for (size_t i = 0; i < count; i++)
                assert_string_equal(view.list[i], words[i]);
        if (count > 0)
                assert_null(view.list[count]);
}

static void test_words(void **state)
{
        static const char *const words[] = {"A=1", "", "C=longer than the others", "D=4"};
        struct words given = {.list = (char **)(uintptr_t)words, .count = 3};
        struct secret_words secret = {0};

        (void)state;
        assert_int_equal(secret_words_set(&secret, &given), 0);
        assert_words(&secret, 3, words);
        assert_false(is_inherited(secret.list));
        assert_int_equal(secret_words_add(&secret, "D=4"), 0);
        assert_words(&secret, 4, words);
        given.count = 0;
        assert_int_equal(secret_words_set(&secret, &given), 0);
        assert_words(&secret, 0, words);
        assert_null(secret.list);
        assert_int_equal(secret_words_add(&secret, "A=1"), 0);
        assert_words(&secret, 1, words);
        secret_words_clear(&secret);
        assert_words(&secret, 0, words);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_children_have_it_only_while_it_is_shared),
                cmocka_unit_test(test_it_is_zero_and_aligned),
                cmocka_unit_test(test_nothing_is_fine),
                cmocka_unit_test(test_memory_that_grows),
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
