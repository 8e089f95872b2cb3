#include "os/log/pipe_reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

int pipe_reader_open(int write_fd)
{
        char path[32];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", write_fd);
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        /* It stays ours, so that handlers cannot change the mode back; and this needs no capability, as chown does. */
        int ignored = fchmod(write_fd, S_IWUSR | S_IWGRP | S_IWOTH);
        (void)ignored;
        return fd;
}
