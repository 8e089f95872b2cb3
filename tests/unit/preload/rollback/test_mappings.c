#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/rollback/kernel_abi.h"
#include "preload/rollback/mappings.h"
#include "preload/rollback/regions.h"

static int maps_fd(void)
{
        int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        return fd;
}

static struct mappings *new_mappings(void)
{
        struct mappings *list = calloc(1, sizeof(*list));

        assert_non_null(list);
        return list;
}

static const struct mapping *find(const struct mappings *list, const void *address)
{
        for (size_t i = 0; i < list->count; i++)
                if (list->all[i].start <= (uintptr_t)address && (uintptr_t)address < list->all[i].end)
                        return &list->all[i];
        return NULL;
}

/* The kernel's queries and its text say the same. */
static void test_both_ways_agree(void **state)
{
        (void)state;
        if (getenv("PREFORKD_UNDER_VALGRIND")) /* which writes a text of its own */
                skip();
        struct mappings *queried = new_mappings();
        struct mappings *text = new_mappings();
        int fd = maps_fd();

        assert_int_equal(mappings_read(fd, queried), 0); /* memory for both is there before */
        assert_int_equal(mappings_read_text(fd, text), 0);
        assert_true(queried->count > 10);
        assert_true(mappings_equal(queried, text));
        assert_false(text->has_aio);
        close(fd);
        free(queried);
        free(text);
}

static void test_a_mapping_is_what_it_is(void **state)
{
        static char bss[3 * ABI_PAGE_BYTES];
        struct mappings *list = new_mappings();
        int fd = maps_fd();
        char *shared = mmap(NULL, 5 * ABI_PAGE_BYTES, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        (void)state;
        assert_int_equal(mappings_read_text(fd, list), 0);
        assert_int_equal(find(list, shared)->flags, MAPPING_READ | MAPPING_SHARED);
        assert_true(mapping_is_private(find(list, bss)));
        assert_false(mapping_is_private(find(list, shared)));
        assert_int_not_equal(find(list, (const void *)test_a_mapping_is_what_it_is)->inode, 0);
        munmap(shared, 5 * ABI_PAGE_BYTES);
        close(fd);
        free(list);
}

static void add(struct mappings *list, uint64_t start, uint64_t end, uint32_t flags, uint64_t inode)
{
        list->all[list->count++] = (struct mapping){.start = start, .end = end, .flags = flags, .inode = inode};
}

static void test_neighbours_may_be_merged(void **state)
{
        struct mappings *whole = new_mappings();
        struct mappings *parts = new_mappings();

        (void)state;
        add(whole, 0x1000, 0x5000, MAPPING_READ | MAPPING_WRITE, 0);
        add(parts, 0x1000, 0x2000, MAPPING_READ | MAPPING_WRITE, 0);
        assert_false(mappings_are_alike(whole, parts));
        add(parts, 0x2000, 0x5000, MAPPING_READ | MAPPING_WRITE, 0);
        assert_false(mappings_equal(whole, parts));
        assert_true(mappings_are_alike(whole, parts));
        parts->all[1].flags = MAPPING_READ;
        assert_false(mappings_are_alike(whole, parts));
        parts->all[1] = (struct mapping){.start = 0x2000, .end = 0x5000, .flags = whole->all[0].flags, .inode = 7};
        assert_false(mappings_are_alike(whole, parts));
        free(whole);
        free(parts);
}

/* What is ours is cut out of a mapping, wherever it lies in it. */
static void test_regions_leave_out_what_is_own(void **state)
{
        const struct own_memory own[] = {{0x14000, 0x15000}, {0x12000, 0x13000}, {0x1f000, 0x30000}};
        struct mappings *list = new_mappings();
        struct regions *regions = calloc(1, sizeof(*regions));

        (void)state;
        assert_non_null(regions);
        add(list, 0x10000, 0x20000, MAPPING_READ | MAPPING_WRITE, 0);
        add(list, 0x20000, 0x28000, MAPPING_READ | MAPPING_WRITE, 9);
        add(list, 0x40000, 0x41000, MAPPING_READ, 9);
        add(list, 0x50000, 0x51000, MAPPING_READ | MAPPING_WRITE | MAPPING_SHARED, 9);
        add(list, 0x60000, 0x62000, MAPPING_READ | MAPPING_WRITE, 9);
        assert_int_equal(regions_find(list, own, 3, 0x61000, regions), 0);
        assert_int_equal(regions->count, 4);
        const uintptr_t expected[][2] = {
                {0x10000, 0x12000}, {0x13000, 0x14000}, {0x15000, 0x1f000}, {0x60000, 0x62000}};
        for (size_t i = 0; i < 4; i++) {
                assert_int_equal(regions->all[i].start, expected[i][0]);
                assert_int_equal(regions->all[i].end, expected[i][1]);
                assert_int_equal(regions->all[i].is_file, i == 3);
                assert_int_equal(regions->all[i].is_stack, i == 3);
        }
        free(list);
        free(regions);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_both_ways_agree),
                cmocka_unit_test(test_a_mapping_is_what_it_is),
                cmocka_unit_test(test_neighbours_may_be_merged),
                cmocka_unit_test(test_regions_leave_out_what_is_own),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
