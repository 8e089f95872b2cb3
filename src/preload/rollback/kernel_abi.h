/* What the kernel offers beyond the headers of an older system: numbers and layouts of linux/fs.h and
 * linux/userfaultfd.h. Included by the modules of rollback/. */
#pragma once

#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define ABI_PAGE_BYTES 4096UL

/* PAGEMAP_SCAN, Linux 6.7 */
struct abi_page_run {
        uint64_t start, end, categories;
};

struct abi_scan {
        uint64_t size, flags, start, end, walk_end, runs, runs_most, pages_most;
        uint64_t inverted, mask, any_of, returned;
};

#define ABI_PAGEMAP_SCAN _IOWR('f', 16, struct abi_scan)

enum {
        ABI_PAGE_WRITTEN = 1 << 1,
        ABI_PAGE_FILE = 1 << 2,
        ABI_PAGE_PRESENT = 1 << 3,
        ABI_PAGE_SWAPPED = 1 << 4,
        ABI_SCAN_CHECK_WPASYNC = 1 << 1, /* -EPERM if a part is not write-protected asynchronously */
};

/* The entries of /proc/self/pagemap. */
#define ABI_PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define ABI_PAGEMAP_SWAPPED (UINT64_C(1) << 62)

/* PROCMAP_QUERY, Linux 6.11 */
struct abi_map_query {
        uint64_t size, query_flags, address, start, end, flags, page_bytes, offset, inode;
        uint32_t device_major, device_minor, name_bytes, build_id_bytes;
        uint64_t name, build_id;
};

#define ABI_MAP_QUERY _IOWR('f', 17, struct abi_map_query)
#define ABI_MAP_QUERY_OR_NEXT 0x10

/* userfaultfd */
#define ABI_USER_MODE_ONLY 1
#define ABI_FEATURE_WP_UNPOPULATED (UINT64_C(1) << 13)
#define ABI_FEATURE_WP_ASYNC (UINT64_C(1) << 15)

/* getdents64(2) */
struct abi_entry {
        uint64_t inode;
        int64_t offset;
        unsigned short bytes;
        unsigned char type;
        char name[];
};

/* prctl(2) */
#define ABI_PR_GET_TID_ADDRESS 40
#define ABI_PR_GET_MDWE 66
#define ABI_PR_SET_MEMORY_MERGE 67
#define ABI_PR_GET_MEMORY_MERGE 68

#define ABI_SHADOW_STACK_STATUS 0x5005
#define ABI_RSEQ_SIGNATURE 0x53053053
