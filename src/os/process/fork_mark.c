#include "os/process/fork_mark.h"

#include <sys/mman.h>

struct fork_mark fork_mark_make(void)
{
        struct fork_mark mark = {.pid = getpid()};
        size_t size = (size_t)sysconf(_SC_PAGESIZE);

        unsigned char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
                return mark;
        if (madvise(page, size, MADV_WIPEONFORK) < 0) {
                munmap(page, size);
                return mark;
        }
        *page = 1;
        mark.page = page;
        return mark;
}
