#include "os/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int memory_file_open(const char *name, int *ret_fd)
{
        int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

int memory_file_write(int fd, const char *bytes, size_t length)
{
        while (length > 0) {
                ssize_t written = write(fd, bytes, length);
                if (written < 0 && errno != EINTR)
                        return -errno;
                if (written > 0) {
                        bytes += written;
                        length -= (size_t)written;
                }
        }
        return 0;
}

int memory_file_seal(int fd)
{
        return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0 ? -errno : 0;
}

int memory_file_map(int fd, const char **ret_bytes, size_t *ret_length)
{
        struct stat status;

        if (fstat(fd, &status) < 0)
                return -errno;
        if (status.st_size == 0)
                return -ENODATA;
        char *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
                return -errno;
        *ret_bytes = bytes;
        *ret_length = (size_t)status.st_size;
        return 0;
}

void memory_file_unmap(const char *bytes, size_t length)
{
        munmap((void *)(uintptr_t)bytes, length);
}
