/* Reading and writing a connected stream socket, whatever interrupts it. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Read what there is. The number of bytes; 0: the peer has ended its side; -errno. */
ssize_t stream_read(int fd, char *buffer, size_t size);

/* Write all of it. No SIGPIPE. 0 or -errno. */
int stream_write(int fd, const char *bytes, size_t length);

/* What a request comes to that ended with `error` (0 or -errno) on the client's connection: a client that leaves early
 * is no failure of ours. */
int stream_result(int error);
