#include "os/net/udp_queue.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"

/* The columns of a row that matter: sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout
 * inode … */
enum { COLUMN_QUEUES = 4, COLUMN_INODE = 9 };

/* True if the row is of that socket, with what waits there in *ret. */
static bool read_row(char *row, uint64_t inode, uint64_t *ret)
{
        char *rest = NULL, *word = strtok_r(row, " ", &rest);

        for (unsigned column = 0; word && column < COLUMN_INODE; column++) {
                const char *colon = column == COLUMN_QUEUES ? strchr(word, ':') : NULL;
                if (colon)
                        *ret = strtoull(colon + 1, NULL, 16);
                word = strtok_r(NULL, " ", &rest);
        }
        return word && strtoull(word, NULL, 10) == inode;
}

/* 0; -ENOENT: no row has the inode of the socket; -errno. */
static int find_row(const char *path, uint64_t inode, uint64_t *ret)
{
        _cleanup_(file_closep) FILE *file = fopen(path, "re");
        _cleanup_(freep) char *row = NULL;
        size_t size = 0;

        if (!file)
                return -errno;
        while (getline(&row, &size, file) > 0)
                if (read_row(row, inode, ret))
                        return 0;
        return -ENOENT;
}

int udp_queue_bytes(int fd, uint64_t *ret)
{
        struct stat status;
        int family = 0;
        socklen_t length = sizeof(family);

        if (fstat(fd, &status) < 0 || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) < 0)
                return -errno;
        return find_row(family == AF_INET ? "/proc/net/udp" : "/proc/net/udp6", status.st_ino, ret);
}
