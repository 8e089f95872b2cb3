#include "preload/rollback/open_files.h"

#include <fcntl.h>
#include <stdio.h>

#include "lib/decimal.h"
#include "lib/sys.h"
#include "preload/rollback/kernel_abi.h"

#define FLAGS_KEPT (O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | O_LARGEFILE)

static void open_again(int fd, int flags, int64_t position)
{
        char path[] = "/proc/self/fd/..........";
        struct stat before = {0};
        struct stat after = {0};
        size_t end = sizeof("/proc/self/fd/") - 1;
        int scale = 1;

        while (fd / scale > 9)
                scale *= 10;
        for (; scale > 0; scale /= 10)
                path[end++] = (char)('0' + fd / scale % 10);
        path[end] = '\0';
        long again = SYS_4(__NR_openat, AT_FDCWD, path, (flags & FLAGS_KEPT) | O_CLOEXEC, 0);
        if (again < 0)
                return;
        if (sys_fstat(fd, &before) == 0 && sys_fstat((int)again, &after) == 0 && before.st_dev == after.st_dev &&
            before.st_ino == after.st_ino && SYS_3(__NR_lseek, again, position, SEEK_SET) >= 0) {
                bool is_cloexec = SYS_3(__NR_fcntl, fd, F_GETFD, 0) & FD_CLOEXEC;
                SYS_3(__NR_dup3, again, fd, is_cloexec ? O_CLOEXEC : 0);
        }
        SYS_1(__NR_close, again);
}

static void take(struct open_files *files, int fd)
{
        struct stat status = {0};
        long flags = SYS_3(__NR_fcntl, fd, F_GETFL, 0);

        if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || flags & O_PATH || sys_fstat(fd, &status) < 0 ||
            !S_ISREG(status.st_mode) || files->count == OPEN_FILES_MOST)
                return;
        int64_t position = SYS_3(__NR_lseek, fd, 0, SEEK_CUR);
        open_again(fd, (int)flags, position);
        files->all[files->count].fd = fd;
        files->all[files->count++].position = position;
}

int open_files_take(struct open_files *files, int first_fd)
{
        long directory = SYS_4(__NR_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        long length;

        files->count = 0;
        if (directory < 0)
                return (int)directory;
        while ((length = SYS_3(__NR_getdents64, directory, files->entries, sizeof(files->entries))) > 0) {
                for (long at = 0; at < length;) {
                        const struct abi_entry *entry = (const struct abi_entry *)(files->entries + at);
                        uint64_t fd;
                        if (decimal_parse(entry->name, INT32_MAX, &fd) && fd > 2 && fd < (uint64_t)first_fd &&
                            (long)fd != directory)
                                take(files, (int)fd);
                        at += entry->bytes;
                }
        }
        SYS_1(__NR_close, directory);
        return length < 0 ? (int)length : 0;
}

void open_files_put_back(const struct open_files *files)
{
        for (size_t i = 0; i < files->count; i++)
                SYS_3(__NR_lseek, files->all[i].fd, files->all[i].position, SEEK_SET);
}
