#include "preload/rollback/address_space.h"

#include <errno.h>

#include "lib/decimal.h"
#include "preload/rollback/memory.h"
#include "preload/rollback/smaps.h"

/* Of /proc/self/statm: size resident shared text lib data dt. */
static bool read_sums(int statm_fd, uint64_t *ret_pages, uint64_t *ret_data_pages)
{
        char text[160];
        const char *at = text;
        uint64_t skipped;
        long r = sys_pread(statm_fd, text, sizeof(text) - 1);

        text[r < 0 ? 0 : r] = '\0';
        if (!decimal_next(&at, ret_pages))
                return false;
        for (int i = 0; i < 4; i++)
                if (!decimal_next(&at, &skipped))
                        return false;
        return decimal_next(&at, ret_data_pages);
}

static bool sums_are_equal(const struct address_space *space)
{
        uint64_t pages;
        uint64_t data_pages;

        return read_sums(space->statm_fd, &pages, &data_pages) && pages == space->pages &&
               data_pages == space->data_pages;
}

/* Without a gap. Neighbours are asked for together. */
static bool regions_are_mapped(const struct regions *regions)
{
        for (size_t i = 0, next; i < regions->count; i = next) {
                for (next = i + 1; next < regions->count; next++)
                        if (regions->all[next].start != regions->all[next - 1].end)
                                break;
                uintptr_t start = regions->all[i].start;
                if (SYS_3(__NR_msync, start, regions->all[next - 1].end - start, MS_ASYNC) < 0) /* -ENOMEM: a gap */
                        return false;
        }
        return true;
}

int address_space_take(struct address_space *space)
{
        int r = mappings_read(space->maps_fd, &space->saved);

        if (r == 0)
                r = smaps_read(space->smaps_fd, &space->current, &space->flags_hash, NULL);
        space->program_break = (uintptr_t)SYS_1(__NR_brk, 0);
        if (r == 0 && !read_sums(space->statm_fd, &space->pages, &space->data_pages))
                r = -EIO;
        return r;
}

/* Unmap what lies outside of every saved mapping. Both lists are sorted. */
static void unmap_new(const struct address_space *space)
{
        size_t next = 0;

        for (size_t i = 0; i < space->current.count; i++) {
                uintptr_t end = space->current.all[i].end;
                for (uintptr_t at = space->current.all[i].start; at < end;) {
                        while (next < space->saved.count && space->saved.all[next].end <= at)
                                next++;
                        bool is_any = next < space->saved.count && space->saved.all[next].start < end;
                        uintptr_t until = is_any ? space->saved.all[next].start : end;
                        if (at < until)
                                SYS_2(__NR_munmap, at, until - at);
                        at = is_any ? space->saved.all[next].end : end;
                }
        }
}

/* How much of a saved mapping is still there. */
struct cover {
        size_t pieces;
        bool is_whole; /* without gaps, of the same file */
        bool is_same;  /* with the same flags */
};

static struct cover find_cover(const struct mappings *current, const struct mapping *saved)
{
        struct cover cover = {.is_whole = true, .is_same = true};
        uintptr_t at = saved->start;

        for (size_t i = 0; i < current->count && current->all[i].start < saved->end; i++) {
                const struct mapping *piece = &current->all[i];
                if (piece->end <= saved->start)
                        continue;
                if (piece->start > at || piece->inode != saved->inode || piece->device != saved->device ||
                    (saved->inode && piece->offset - piece->start != saved->offset - saved->start))
                        cover.is_whole = false;
                if (piece->flags != saved->flags)
                        cover.is_same = false;
                cover.pieces++;
                at = piece->end;
        }
        if (at < saved->end)
                cover.is_whole = false;
        return cover;
}

static struct region *find_region(struct checkpoint *checkpoint, const struct mapping *saved)
{
        for (size_t i = 0; i < checkpoint->regions.count; i++) {
                struct region *region = &checkpoint->regions.all[i];
                if (region->start == saved->start && region->end == saved->end)
                        return region;
        }
        return NULL;
}

/* What was writable and private can be mapped again, or be given its protection back: its bytes are known. */
static int repair(struct checkpoint *checkpoint, const struct mapping *saved, const struct cover *cover)
{
        struct region *region = find_region(checkpoint, saved);

        if (!region)
                return -EPERM;
        if (!region->is_file && !region->is_stack)
                return checkpoint_map_again(checkpoint, region);
        if (!cover->is_whole)
                return -EPERM;
        long r = SYS_3(__NR_mprotect, saved->start, saved->end - saved->start,
                       saved->flags & (MAPPING_READ | MAPPING_WRITE | MAPPING_EXECUTE));
        if (r == 0 && checkpoint->tracking.fault_fd >= 0)
                r = tracking_register(&checkpoint->tracking, saved->start, saved->end);
        return (int)r;
}

static enum rollback_obstacle put_right(struct address_space *space, struct checkpoint *checkpoint)
{
        if (mappings_read_text(space->maps_fd, &space->current) < 0)
                return ROLLBACK_MAPPINGS_CHANGED;
        if (space->current.has_aio != space->saved.has_aio)
                return ROLLBACK_AIO;
        unmap_new(space);
        for (size_t i = 0; i < space->saved.count; i++) {
                const struct mapping *saved = &space->saved.all[i];
                struct cover cover = find_cover(&space->current, saved);
                if (cover.pieces == 1 && cover.is_whole && cover.is_same)
                        continue;
                if (repair(checkpoint, saved, &cover) < 0)
                        return ROLLBACK_MAPPINGS_CHANGED;
        }
        if (mappings_read(space->maps_fd, &space->current) < 0 || !mappings_are_alike(&space->saved, &space->current))
                return ROLLBACK_MAPPINGS_CHANGED;
        return ROLLBACK_NO_OBSTACLE;
}

/* The flags that maps does not show (advice about fork and dumps, locks); and pages that may vanish (MADV_FREE). */
static enum rollback_obstacle look_at_flags(struct address_space *space, struct checkpoint *checkpoint)
{
        uint64_t hash = 0;
        bool has_lazy = false;

        if (smaps_read(space->smaps_fd, &space->current, &hash, &has_lazy) < 0 || hash != space->flags_hash)
                return ROLLBACK_MAPPINGS_CHANGED;
        if (has_lazy)
                checkpoint_doubt(checkpoint);
        return ROLLBACK_NO_OBSTACLE;
}

enum rollback_obstacle address_space_put_right(struct address_space *space, struct checkpoint *checkpoint,
                                               enum memory_calls_effect effect)
{
        enum rollback_obstacle obstacle = ROLLBACK_NO_OBSTACLE;
        uintptr_t program_break = (uintptr_t)SYS_1(__NR_brk, 0);

        if (program_break != space->program_break)
                SYS_1(__NR_brk, space->program_break);
        if (!space->is_strict && effect == MEMORY_CALLS_NONE && program_break >= space->program_break &&
            sums_are_equal(space) && regions_are_mapped(&checkpoint->regions))
                return ROLLBACK_NO_OBSTACLE;
        space->looks++;
        SYS_0(__NR_munlockall);
        if (mappings_read(space->maps_fd, &space->current) < 0)
                return ROLLBACK_MAPPINGS_CHANGED;
        if (!mappings_equal(&space->saved, &space->current))
                obstacle = put_right(space, checkpoint);
        if (obstacle == ROLLBACK_NO_OBSTACLE && (space->is_strict || effect == MEMORY_CALLS_FLAGS))
                obstacle = look_at_flags(space, checkpoint);
        return obstacle;
}
