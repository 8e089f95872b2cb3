#include "preload/rollback/tracking.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/sys.h"
#include "preload/rollback/memory.h"

int tracking_register(const struct tracking *tracking, uintptr_t start, uintptr_t end)
{
        struct uffdio_register range = {.range = {.start = start, .len = end - start}, .mode = UFFDIO_REGISTER_MODE_WP};

        return (int)SYS_3(__NR_ioctl, tracking->fault_fd, UFFDIO_REGISTER, &range);
}

int tracking_protect(const struct tracking *tracking, uintptr_t start, uintptr_t end)
{
        struct uffdio_writeprotect range = {.range = {.start = start, .len = end - start},
                                            .mode = UFFDIO_WRITEPROTECT_MODE_WP};

        return (int)SYS_3(__NR_ioctl, tracking->fault_fd, UFFDIO_WRITEPROTECT, &range);
}

long tracking_scan(const struct tracking *tracking, uintptr_t *start, uintptr_t end, struct abi_page_run *runs,
                   unsigned most)
{
        struct abi_scan scan = {
                .size = sizeof(scan),
                .flags = ABI_SCAN_CHECK_WPASYNC,
                .start = *start,
                .end = end,
                .runs = (uintptr_t)runs,
                .runs_most = most,
                .inverted = ABI_PAGE_PRESENT,
                .any_of = ABI_PAGE_WRITTEN | ABI_PAGE_PRESENT,
                .returned = ABI_PAGE_WRITTEN | ABI_PAGE_PRESENT | ABI_PAGE_SWAPPED,
        };
        long r = SYS_3(__NR_ioctl, tracking->pagemap_fd, ABI_PAGEMAP_SCAN, &scan);

        if (r >= 0)
                *start = r == (long)most ? scan.walk_end : end;
        return r;
}

/* Of three pages, the first is written and the last thrown away: those two must be reported, each as what it is. */
static bool is_tried(const struct tracking *tracking, uintptr_t page)
{
        enum { PAGES = 3, RUNS = 4 };
        struct abi_page_run runs[RUNS] = {0};
        uintptr_t end = page + PAGES * ABI_PAGE_BYTES;
        volatile char *first = (volatile char *)page; // NOLINT(performance-no-int-to-ptr)

        for (size_t i = 0; i < PAGES; i++)
                first[i * ABI_PAGE_BYTES] = 1;
        if (tracking_register(tracking, page, end) < 0 || tracking_protect(tracking, page, end) < 0)
                return false;
        uintptr_t at = page;
        if (tracking_scan(tracking, &at, end, runs, RUNS) != 0)
                return false;
        first[0] = 2;
        SYS_3(__NR_madvise, end - ABI_PAGE_BYTES, ABI_PAGE_BYTES, MADV_DONTNEED);
        at = page;
        return tracking_scan(tracking, &at, end, runs, RUNS) == 2 && runs[0].start == page &&
               runs[0].end == page + ABI_PAGE_BYTES && runs[0].categories & ABI_PAGE_WRITTEN &&
               runs[1].start == end - ABI_PAGE_BYTES && !(runs[1].categories & ABI_PAGE_PRESENT);
}

static bool is_working(const struct tracking *tracking)
{
        long page = SYS_6(__NR_mmap, 0, 3 * ABI_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bool works = !is_error(page) && is_tried(tracking, (uintptr_t)page);

        if (!is_error(page))
                SYS_2(__NR_munmap, page, 3 * ABI_PAGE_BYTES);
        return works;
}

int tracking_open(struct tracking *tracking, int first_fd)
{
        struct uffdio_api api = {.api = UFFD_API, .features = ABI_FEATURE_WP_ASYNC | ABI_FEATURE_WP_UNPOPULATED};
        long low = SYS_1(__NR_userfaultfd, O_CLOEXEC | ABI_USER_MODE_ONLY);
        long r = low < 0 ? low : SYS_3(__NR_ioctl, low, UFFDIO_API, &api);

        tracking->fault_fd = -1;
        if (r >= 0) {
                r = SYS_3(__NR_fcntl, low, F_DUPFD_CLOEXEC, first_fd);
                tracking->fault_fd = r < 0 ? -1 : (int)r;
        }
        if (low >= 0)
                SYS_1(__NR_close, low);
        if (r >= 0 && !is_working(tracking)) {
                SYS_1(__NR_close, tracking->fault_fd);
                tracking->fault_fd = -1;
                r = -EOPNOTSUPP;
        }
        return r < 0 ? (int)r : 0;
}
