#include "preload/rollback/regions.h"

#include <elf.h>
#include <errno.h>
#include <link.h>

#include "preload/rollback/memory.h"

/* The first byte of the object, which the linker names. */
extern const ElfW(Ehdr) // NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's
        __ehdr_start __attribute__((visibility("hidden")));

size_t regions_own_segments(struct own_memory *ret, size_t most)
{
        uintptr_t base = (uintptr_t)&__ehdr_start;
        const ElfW(Phdr) *segments = (const ElfW(Phdr) *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
        size_t count = 0;

        for (size_t i = 0; i < __ehdr_start.e_phnum && count < most; i++)
                if (segments[i].p_type == PT_LOAD && segments[i].p_flags & PF_W)
                        ret[count++] = (struct own_memory){
                                .start = page_floor(base + segments[i].p_vaddr),
                                .end = page_ceiling(base + segments[i].p_vaddr + segments[i].p_memsz),
                        };
        return count;
}

static int add_region(struct regions *ret, const struct mapping *mapping, uintptr_t start, uintptr_t end,
                      uintptr_t stack)
{
        if (ret->count == REGIONS_MOST)
                return -E2BIG;
        ret->all[ret->count++] = (struct region){
                .start = start,
                .end = end,
                .flags = mapping->flags,
                .is_file = mapping->inode != 0,
                .is_stack = start <= stack && stack < end,
        };
        return 0;
}

/* Is the byte at `address` one of ours? *ret_next: the address up to which that is so, at most as it was. */
static bool is_own(const struct own_memory *own, size_t own_count, uintptr_t address, uintptr_t *ret_next)
{
        for (size_t i = 0; i < own_count; i++) {
                if (own[i].start <= address && address < own[i].end) {
                        *ret_next = own[i].end < *ret_next ? own[i].end : *ret_next;
                        return true;
                }
                if (own[i].start > address && own[i].start < *ret_next)
                        *ret_next = own[i].start;
        }
        return false;
}

int regions_find(const struct mappings *mappings, const struct own_memory *own, size_t own_count, uintptr_t stack,
                 struct regions *ret)
{
        ret->count = 0;
        for (size_t i = 0; i < mappings->count; i++) {
                const struct mapping *mapping = &mappings->all[i];
                if (!mapping_is_private(mapping))
                        continue;
                for (uintptr_t start = mapping->start, next; start < mapping->end; start = next) {
                        next = mapping->end;
                        int r = is_own(own, own_count, start, &next) ? 0 : add_region(ret, mapping, start, next, stack);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

size_t regions_bytes(const struct regions *regions)
{
        size_t bytes = 0;

        for (size_t i = 0; i < regions->count; i++)
                bytes += regions->all[i].end - regions->all[i].start;
        return bytes;
}

void regions_drop_below(const struct regions *regions, uintptr_t stack)
{
        for (size_t i = 0; i < regions->count; i++) {
                const struct region *region = &regions->all[i];
                if (!region->is_stack)
                        continue;
                uintptr_t page = page_floor(stack);
                memory_clear((void *)page, stack - page); // NOLINT(performance-no-int-to-ptr)
                if (page > region->start)
                        SYS_3(__NR_madvise, region->start, page - region->start, MADV_DONTNEED);
        }
}
