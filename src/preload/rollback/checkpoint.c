#include "preload/rollback/checkpoint.h"

#include <errno.h>

#include "base/cleanup.h"
#include "preload/rollback/memory.h"

size_t checkpoint_read_entries(struct checkpoint *checkpoint, uintptr_t address, uintptr_t end)
{
        size_t count = (end - address) / ABI_PAGE_BYTES;

        if (count > ELEMENTS(checkpoint->entries))
                count = ELEMENTS(checkpoint->entries);
        long r = SYS_4(__NR_pread64, checkpoint->tracking.pagemap_fd, checkpoint->entries,
                       count * sizeof(checkpoint->entries[0]),
                       address / ABI_PAGE_BYTES * sizeof(checkpoint->entries[0]));
        size_t got = r < 0 ? 0 : (size_t)r / sizeof(checkpoint->entries[0]);
        for (size_t i = got; i < count; i++) /* not known: looked at */
                checkpoint->entries[i] = ABI_PAGEMAP_PRESENT;
        return count;
}

/* Memory for the copies: the image where it has the region, our own for the rest. */
static int make_room(struct checkpoint *checkpoint, int image_fd)
{
        struct regions *regions = &checkpoint->regions;
        size_t rest = 0;

        checkpoint->image = image_map(image_fd);
        for (size_t i = 0; i < regions->count; i++) {
                struct region *region = &regions->all[i];
                region->pristine = image_find(checkpoint->image, region);
                if (!region->pristine)
                        rest += region->end - region->start;
        }
        unsigned char *pages = memory_reserve(regions_bytes(regions) / ABI_PAGE_BYTES + 1);
        unsigned char *copies = rest == 0 ? NULL : memory_reserve(rest);
        if (!pages || (rest > 0 && !copies))
                return -ENOMEM;
        for (size_t i = 0; i < regions->count; i++) {
                struct region *region = &regions->all[i];
                region->pages = pages;
                pages += (region->end - region->start) / ABI_PAGE_BYTES;
                if (region->pristine)
                        continue;
                region->pristine = copies;
                copies += region->end - region->start;
        }
        return 0;
}

/* A page that is in the image as it is here stays shared. */
static void copy_page(const struct region *region, uintptr_t address, bool is_absent, bool is_shared)
{
        const void *page = (const void *)address; // NOLINT(performance-no-int-to-ptr)
        unsigned char *copy = (unsigned char *)(uintptr_t)region->pristine + (address - region->start);

        if (!region->is_file && (is_absent || page_is_zero(page)))
                *region_page(region, address) = PAGE_ZERO;
        else if (!is_shared || !page_is_equal(page, copy))
                memory_copy(copy, page, ABI_PAGE_BYTES);
}

static void copy_region(struct checkpoint *checkpoint, const struct region *region)
{
        bool is_shared = image_find(checkpoint->image, region) != NULL;

        for (uintptr_t address = region->start; address < region->end;) {
                size_t count = checkpoint_read_entries(checkpoint, address, region->end);
                for (size_t i = 0; i < count; i++, address += ABI_PAGE_BYTES) {
                        bool is_absent = !(checkpoint->entries[i] & (ABI_PAGEMAP_PRESENT | ABI_PAGEMAP_SWAPPED));
                        copy_page(region, address, is_absent, is_shared);
                }
        }
}

int checkpoint_take(struct checkpoint *checkpoint, const struct mappings *found, const struct own_memory *own,
                    size_t own_count, uintptr_t stack, int image_fd)
{
        struct regions *regions = &checkpoint->regions;
        bool is_tracked = checkpoint->tracking.fault_fd >= 0;
        int r = regions_find(found, own, own_count, stack, regions);

        if (r < 0)
                return r;
        regions_drop_below(regions, stack);
        r = make_room(checkpoint, image_fd);
        for (size_t i = 0; r == 0 && is_tracked && i < regions->count; i++)
                r = tracking_register(&checkpoint->tracking, regions->all[i].start, regions->all[i].end);
        if (r < 0)
                return r;
        for (size_t i = 0; i < regions->count; i++)
                copy_region(checkpoint, &regions->all[i]);
        if (checkpoint->image)
                image_protect(checkpoint->image);
        for (size_t i = 0; r == 0 && is_tracked && i < regions->count; i++)
                r = tracking_protect(&checkpoint->tracking, regions->all[i].start, regions->all[i].end);
        return r;
}

int checkpoint_map_again(const struct checkpoint *checkpoint, struct region *region)
{
        long r = -EPERM;

        if (!region->is_file && !region->is_stack)
                r = SYS_6(__NR_mmap, region->start, region->end - region->start,
                          region->flags & (MAPPING_READ | MAPPING_WRITE | MAPPING_EXECUTE),
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (is_error(r))
                return (int)r;
        region->is_doubtful = true;
        return checkpoint->tracking.fault_fd < 0 ? 0
                                                 : tracking_register(&checkpoint->tracking, region->start, region->end);
}

void checkpoint_doubt(struct checkpoint *checkpoint)
{
        for (size_t i = 0; i < checkpoint->regions.count; i++)
                if (!checkpoint->regions.all[i].is_file)
                        checkpoint->regions.all[i].is_doubtful = true;
}
