#include "preload/rollback/restore.h"

#include <errno.h>

#include "base/cleanup.h"
#include "preload/rollback/memory.h"

/* Zero pages up to that many are cleared, because they are likely to be written again; more are dropped. */
#define CLEARED_MOST 16U
#define SMALL_MOST 4U /* pages */

static void *at(uintptr_t address)
{
        return (void *)address; // NOLINT(performance-no-int-to-ptr)
}

static bool is_zero(const struct region *region, uintptr_t address)
{
        return *region_page(region, address) & PAGE_ZERO;
}

static void clear(uintptr_t start, uintptr_t end)
{
        if (end - start > CLEARED_MOST * ABI_PAGE_BYTES && SYS_3(__NR_madvise, start, end - start, MADV_DONTNEED) == 0)
                return;
        memory_clear(at(start), end - start);
}

/* The bytes of [start, end), all of which is present or all absent. */
static void put_back(const struct region *region, uintptr_t start, uintptr_t end, bool is_present)
{
        for (uintptr_t next = start; start < end; start = next) {
                bool zero = is_zero(region, start);
                do
                        next += ABI_PAGE_BYTES;
                while (next < end && is_zero(region, next) == zero);
                if (!zero)
                        memory_copy(at(start), region->pristine + (start - region->start), next - start);
                else if (is_present)
                        clear(start, next);
        }
}

/* A page that is dirty every time is cheaper to copy than to protect. */
static bool is_left_open(const struct region *region, uintptr_t address)
{
        unsigned char *page = region_page(region, address);

        if ((*page & PAGE_COUNT_MASK) < PAGE_DIRTY_MOST)
                ++*page;
        return (*page & PAGE_COUNT_MASK) == PAGE_DIRTY_MOST;
}

static int protect(const struct restore *restore, const struct region *region, uintptr_t start, uintptr_t end)
{
        while (start < end) {
                uintptr_t next = start;
                while (next < end && !is_left_open(region, next))
                        next += ABI_PAGE_BYTES;
                int r = next > start ? tracking_protect(&restore->checkpoint->tracking, start, next) : 0;
                if (r < 0)
                        return r;
                start = next + ABI_PAGE_BYTES; /* `next` itself is left open, or the end */
        }
        return 0;
}

/* As it was: a page of no file that has been swapped out, or one that was never there. */
static bool is_untouched(const struct region *region, const struct abi_page_run *run)
{
        return !region->is_file && !(run->categories & ABI_PAGE_WRITTEN) && run->categories & ABI_PAGE_SWAPPED;
}

static int restore_doubtful(const struct restore *restore, struct region *region)
{
        put_back(region, region->start, region->end, true);
        for (uintptr_t page = region->start; page < region->end; page += ABI_PAGE_BYTES)
                *region_page(region, page) &= (unsigned char)~PAGE_COUNT_MASK;
        region->is_doubtful = false;
        return restore->checkpoint->tracking.fault_fd < 0
                       ? 0
                       : tracking_protect(&restore->checkpoint->tracking, region->start, region->end);
}

/* A region of few pages that are all left open: to write it is cheaper than to ask what was written. */
static bool is_written_always(const struct region *region)
{
        if (region->end - region->start > SMALL_MOST * ABI_PAGE_BYTES)
                return false;
        for (uintptr_t page = region->start; page < region->end; page += ABI_PAGE_BYTES)
                if ((*region_page(region, page) & PAGE_COUNT_MASK) != PAGE_DIRTY_MOST)
                        return false;
        return true;
}

static int restore_tracked(struct restore *restore, const struct region *region)
{
        uintptr_t next = region->start;

        while (next < region->end) {
                long count = tracking_scan(&restore->checkpoint->tracking, &next, region->end, restore->runs,
                                           ELEMENTS(restore->runs));
                if (count < 0)
                        return (int)count;
                for (long i = 0; i < count; i++) {
                        const struct abi_page_run *run = &restore->runs[i];
                        if (is_untouched(region, run))
                                continue;
                        put_back(region, run->start, run->end, run->categories & ABI_PAGE_PRESENT);
                        restore->pages_put_back += (run->end - run->start) / ABI_PAGE_BYTES;
                        int r = protect(restore, region, run->start, run->end);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* Pages are compared before they are written, so that those which no process writes stay shared with other workers. */
static void compare_page(struct restore *restore, const struct region *region, uintptr_t address)
{
        const unsigned char *pristine = region->pristine + (address - region->start);

        if (page_is_equal(at(address), pristine))
                return;
        memory_copy(at(address), pristine, ABI_PAGE_BYTES);
        restore->pages_put_back++;
}

/* Pages that are there and should be zero. */
static void restore_zero(uintptr_t start, uintptr_t end)
{
        for (uintptr_t page = start; page < end; page += ABI_PAGE_BYTES)
                if (!page_is_zero(at(page))) {
                        clear(start, end);
                        return;
                }
}

static void restore_copied(struct restore *restore, const struct region *region)
{
        const uint64_t *entries = restore->checkpoint->entries;
        uintptr_t zero = region->start; /* the pages [zero, address) are there and should be zero */

        for (uintptr_t address = region->start; address < region->end;) {
                size_t count = checkpoint_read_entries(restore->checkpoint, address, region->end);
                for (size_t i = 0; i < count; i++, address += ABI_PAGE_BYTES) {
                        bool is_present = entries[i] & (ABI_PAGEMAP_PRESENT | ABI_PAGEMAP_SWAPPED);
                        if (is_zero(region, address) && is_present)
                                continue;
                        restore_zero(zero, address);
                        zero = address + ABI_PAGE_BYTES;
                        if (!is_zero(region, address))
                                compare_page(restore, region, address);
                }
        }
        restore_zero(zero, region->end);
}

static int restore_region(struct restore *restore, struct region *region)
{
        int r = 0;

        if (region->is_doubtful)
                return restore_doubtful(restore, region);
        if (restore->checkpoint->tracking.fault_fd < 0)
                restore_copied(restore, region);
        else if (is_written_always(region))
                put_back(region, region->start, region->end, true);
        else
                r = restore_tracked(restore, region);
        if (r != -EPERM)
                return r;
        r = checkpoint_map_again(restore->checkpoint, region); /* by the program, at the same place */
        return r < 0 ? r : restore_doubtful(restore, region);
}

int restore_all(struct restore *restore)
{
        struct regions *regions = &restore->checkpoint->regions;

        for (size_t i = 0; i < regions->count; i++) {
                int r = restore_region(restore, &regions->all[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

size_t restore_verify(const struct checkpoint *checkpoint, uintptr_t *ret_first)
{
        size_t different = 0;

        for (size_t i = 0; i < checkpoint->regions.count; i++) {
                const struct region *region = &checkpoint->regions.all[i];
                for (uintptr_t page = region->start; page < region->end; page += ABI_PAGE_BYTES) {
                        if (is_zero(region, page) ? page_is_zero(at(page))
                                                  : page_is_equal(at(page), region->pristine + (page - region->start)))
                                continue;
                        if (different++ == 0)
                                *ret_first = page;
                }
        }
        return different;
}
