#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/rollback/restore.h"

#define PAGE ABI_PAGE_BYTES
#define PAGES 64U

/* A mapping with ten pages of text, and its checkpoint. */
struct memory {
        char *bytes;
        struct checkpoint checkpoint;
        struct restore restore;
};

static struct memory *begin(bool is_tracked)
{
        struct tracking tracking = {.fault_fd = -1, .pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)};
        if (is_tracked && tracking_open(&tracking, 50) < 0) {
                close(tracking.pagemap_fd);
                skip(); /* Linux before 6.7 */
        }
        struct memory *memory = calloc(1, sizeof(*memory));
        struct mappings *found = calloc(1, sizeof(*found));

        assert_non_null(memory);
        assert_non_null(found);
        memory->bytes = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(memory->bytes, 'a', 10 * PAGE);
        memory->checkpoint.tracking = tracking;
        found->all[found->count++] = (struct mapping){.start = (uintptr_t)memory->bytes,
                                                      .end = (uintptr_t)memory->bytes + PAGES * PAGE,
                                                      .flags = MAPPING_READ | MAPPING_WRITE};
        assert_int_equal(checkpoint_take(&memory->checkpoint, found, NULL, 0, 0, -1), 0);
        memory->restore.checkpoint = &memory->checkpoint;
        free(found);
        return memory;
}

static void end(struct memory *memory)
{
        munmap(memory->bytes, PAGES * PAGE);
        close(memory->checkpoint.tracking.pagemap_fd);
        close(memory->checkpoint.tracking.fault_fd);
        free(memory);
}

static size_t wrong_pages(const struct memory *memory)
{
        uintptr_t first = 0;
        size_t different = restore_verify(&memory->checkpoint, &first);

        for (size_t i = 0; i < PAGES * PAGE; i++)
                if (memory->bytes[i] != (i < 10 * PAGE ? 'a' : 0)) {
                        assert_int_equal(first, (uintptr_t)memory->bytes + i / PAGE * PAGE);
                        return different;
                }
        assert_int_equal(different, 0);
        return 0;
}

static void change(struct memory *memory, unsigned round)
{
        memory->bytes[3 * PAGE + round] = 'x';
        memset(memory->bytes + 8 * PAGE, 'y', 30 * PAGE);
        madvise(memory->bytes + 5 * PAGE, PAGE, MADV_DONTNEED);
        memory->bytes[50 * PAGE + 7] = 'z';
}

static void put_back(bool is_tracked)
{
        struct memory *memory = begin(is_tracked);

        assert_int_equal(wrong_pages(memory), 0);
        for (unsigned round = 0; round < 6; round++) { /* more often than a page is protected again */
                change(memory, round);
                assert_int_equal(wrong_pages(memory), 33);
                assert_int_equal(restore_all(&memory->restore), 0);
                assert_int_equal(wrong_pages(memory), 0);
        }
        end(memory);
}

static void test_tracked_memory_is_put_back(void **state)
{
        (void)state;
        put_back(true);
}

static void test_copied_memory_is_put_back(void **state)
{
        (void)state;
        put_back(false);
}

/* What was not written is not touched. */
static void test_only_what_was_written_is_put_back(void **state)
{
        struct memory *memory = begin(true);

        (void)state;
        assert_int_equal(restore_all(&memory->restore), 0);
        assert_int_equal(memory->restore.pages_put_back, 0);
        memory->bytes[2 * PAGE] = 'x';
        assert_int_equal(restore_all(&memory->restore), 0);
        assert_int_equal(memory->restore.pages_put_back, 1);
        end(memory);
}

/* Unmapped and mapped again at the same place: the kernel tracks nothing there any more. */
static void test_a_mapping_that_was_made_again_is_put_back(void **state)
{
        struct memory *memory = begin(true);

        (void)state;
        munmap(memory->bytes + PAGE, 2 * PAGE);
        (void)mmap(memory->bytes + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                   0);
        assert_int_equal(restore_all(&memory->restore), 0);
        assert_int_equal(wrong_pages(memory), 0);
        memory->bytes[PAGE] = 'x';
        assert_int_equal(restore_all(&memory->restore), 0);
        assert_int_equal(wrong_pages(memory), 0);
        end(memory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tracked_memory_is_put_back),
                cmocka_unit_test(test_copied_memory_is_put_back),
                cmocka_unit_test(test_only_what_was_written_is_put_back),
                cmocka_unit_test(test_a_mapping_that_was_made_again_is_put_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
