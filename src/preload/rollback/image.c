#include "preload/rollback/image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>

#include "preload/rollback/memory.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define OWN_MOST 8U

/* What is needed while the file is written. */
struct image_writer {
        int fd, maps_fd;
        uintptr_t stack;
        struct mappings mappings;
        struct regions regions;
        struct image image;
        unsigned char page[ABI_PAGE_BYTES];
};

/* The page of the stack pointer is written without what is below it. */
static const void *page_to_write(struct image_writer *writer, uintptr_t address)
{
        const void *page = (const void *)address; // NOLINT(performance-no-int-to-ptr)

        if (page_floor(writer->stack) != address)
                return page;
        memory_copy(writer->page, page, ABI_PAGE_BYTES);
        memory_clear(writer->page, writer->stack - address);
        return writer->page;
}

/* Zero pages are holes. */
static int write_region(struct image_writer *writer, const struct image_region *region)
{
        uintptr_t start = region->start;

        if (start <= writer->stack && writer->stack < region->end)
                start = page_floor(writer->stack);
        for (uintptr_t address = start; address < region->end; address += ABI_PAGE_BYTES) {
                const void *page = page_to_write(writer, address);
                if (page_is_zero(page))
                        continue;
                long r = SYS_4(__NR_pwrite64, writer->fd, page, ABI_PAGE_BYTES,
                               region->offset + (address - region->start));
                if (r != (long)ABI_PAGE_BYTES)
                        return r < 0 ? (int)r : -EIO;
        }
        return 0;
}

static int lay_out(struct image_writer *writer)
{
        struct image *image = &writer->image;
        struct own_memory own[OWN_MOST];
        size_t count = regions_own_segments(own, OWN_MOST - 1);
        int r = mappings_read(writer->maps_fd, &writer->mappings);

        own[count++] = (struct own_memory){.start = (uintptr_t)writer, .end = page_ceiling((uintptr_t)(writer + 1))};
        if (r == 0)
                r = regions_find(&writer->mappings, own, count, writer->stack, &writer->regions);
        image->bytes = page_ceiling(sizeof(*image));
        for (size_t i = 0; r == 0 && i < writer->regions.count; i++) {
                const struct region *region = &writer->regions.all[i];
                image->regions[image->count++] =
                        (struct image_region){.start = region->start, .end = region->end, .offset = image->bytes};
                image->bytes += region->end - region->start;
        }
        return r;
}

static int write_image(struct image_writer *writer)
{
        int r = lay_out(writer);

        if (r == 0)
                r = (int)SYS_2(__NR_ftruncate, writer->fd, writer->image.bytes);
        for (size_t i = 0; r == 0 && i < writer->image.count; i++)
                r = write_region(writer, &writer->image.regions[i]);
        if (r == 0) {
                long written = SYS_4(__NR_pwrite64, writer->fd, &writer->image, sizeof(writer->image), 0);
                r = written == (long)sizeof(writer->image) ? 0 : -EIO;
        }
        return r < 0 ? r : (int)SYS_3(__NR_fcntl, writer->fd, F_ADD_SEALS, SEALS);
}

static int make_file(int first_fd)
{
        long low = SYS_2(__NR_memfd_create, "preforkd", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (low < 0)
                return (int)low;
        long fd = SYS_3(__NR_fcntl, low, F_DUPFD_CLOEXEC, first_fd);
        SYS_1(__NR_close, low);
        return (int)fd;
}

int image_make(uintptr_t stack, int first_fd)
{
        struct image_writer *writer = memory_reserve(sizeof(*writer));

        if (!writer)
                return -ENOMEM;
        writer->stack = stack;
        writer->maps_fd = sys_open("/proc/self/maps");
        writer->fd = make_file(first_fd);
        int r = writer->maps_fd < 0 ? writer->maps_fd : writer->fd < 0 ? writer->fd : write_image(writer);
        int fd = writer->fd;
        if (writer->maps_fd >= 0)
                sys_close(writer->maps_fd);
        memory_release(writer, sizeof(*writer));
        if (r < 0 && fd >= 0)
                sys_close(fd);
        return r < 0 ? r : fd;
}

const struct image *image_map(int fd)
{
        struct stat status = {0};

        if (fd < 0 || sys_fstat(fd, &status) < 0 || (size_t)status.st_size < sizeof(struct image))
                return NULL;
        long r = SYS_6(__NR_mmap, 0, status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        if (is_error(r))
                return NULL;
        const struct image *image = (const struct image *)r; // NOLINT(performance-no-int-to-ptr): of the kernel
        SYS_3(__NR_madvise, image, image->bytes, MADV_DONTFORK);
        return image;
}

unsigned char *image_find(const struct image *image, const struct region *region)
{
        for (size_t i = 0; image && i < image->count; i++)
                if (image->regions[i].start == region->start && image->regions[i].end == region->end)
                        return (unsigned char *)(uintptr_t)image + image->regions[i].offset;
        return NULL;
}

void image_protect(const struct image *image)
{
        SYS_3(__NR_mprotect, image, image->bytes, PROT_READ);
}
