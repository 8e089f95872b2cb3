#include "preload/rollback/precondition.h"

#include <fcntl.h>
#include <sched.h>

#include "base/cleanup.h"
#include "lib/decimal.h"
#include "lib/sys.h"
#include "preload/rollback/kernel_abi.h"
#include "preload/rollback/memory_attributes.h"

static bool begins_with(const char *text, const char *word)
{
        while (*word && *text == *word) {
                text++;
                word++;
        }
        return !*word;
}

static bool has_shadow_stack(void)
{
#if defined(__x86_64__)
        uint64_t features = 0;

        return SYS_2(__NR_arch_prctl, ABI_SHADOW_STACK_STATUS, &features) == 0 && features & 1;
#else
        return false;
#endif
}

/* VmLck of /proc/self/status: 0 unless something is locked, or will be (mlockall). */
static enum rollback_obstacle look_at_locks(void)
{
        char text[4096];
        int fd = sys_open("/proc/self/status");
        long length = fd < 0 ? fd : sys_pread(fd, text, sizeof(text) - 1);

        if (fd >= 0)
                sys_close(fd);
        if (length <= 0)
                return ROLLBACK_NO_PROC;
        text[length] = '\0';
        for (const char *line = text; *line; line++) {
                static const char lock[] = "\nVmLck:\t";
                uint64_t kilobytes = 0;
                if (!begins_with(line, lock))
                        continue;
                line += sizeof(lock) - 1;
                return decimal_next(&line, &kilobytes) && kilobytes > 0 ? ROLLBACK_LOCKED_MEMORY : ROLLBACK_NO_OBSTACLE;
        }
        return ROLLBACK_NO_OBSTACLE;
}

static bool is_io_uring(int directory, const char *name)
{
        char target[32] = {0};

        return SYS_4(__NR_readlinkat, directory, name, target, sizeof(target) - 1) > 0 &&
               begins_with(target, "anon_inode:[io_uring]");
}

static enum rollback_obstacle look_at_descriptors(void)
{
        char entries[2048] __attribute__((aligned(8))) = {0};
        long directory = SYS_4(__NR_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        enum rollback_obstacle obstacle = ROLLBACK_NO_OBSTACLE;
        long length = -1;

        if (directory < 0)
                return ROLLBACK_NO_PROC;
        while (obstacle == ROLLBACK_NO_OBSTACLE &&
               (length = SYS_3(__NR_getdents64, directory, entries, sizeof(entries))) > 0)
                for (long at = 0; at < length;) {
                        const struct abi_entry *entry = (const struct abi_entry *)(entries + at);
                        if (is_io_uring((int)directory, entry->name))
                                obstacle = ROLLBACK_IO_URING;
                        at += entry->bytes;
                }
        SYS_1(__NR_close, directory);
        return obstacle;
}

enum rollback_obstacle precondition_check(const struct thread_state *thread)
{
        struct memory_attributes attributes;
        enum rollback_obstacle obstacle;

#if !defined(__x86_64__)
        return ROLLBACK_MACHINE;
#endif
        if (has_shadow_stack())
                return ROLLBACK_SHADOW_STACK;
        memory_attributes_read(&attributes);
        if (attributes.dumpable != 1)
                return ROLLBACK_NOT_DUMPABLE;
        if (attributes.write_execute > 0)
                return ROLLBACK_WRITE_EXECUTE;
        if (SYS_1(__NR_unshare, CLONE_VM) < 0)
                return ROLLBACK_SHARED_MEMORY;
        if (!thread->id)
                return ROLLBACK_NO_THREAD_ID;
        obstacle = look_at_locks();
        return obstacle == ROLLBACK_NO_OBSTACLE ? look_at_descriptors() : obstacle;
}
