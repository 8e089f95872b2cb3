/* Files in memory (memfd_create(2)) through which one process hands a text to another: the writer never waits for the
 * reader, and the reader maps what is there. */
#pragma once

#include <stddef.h>

/* Make an empty one, O_CLOEXEC, owned by the caller. 0 or -errno. */
int memory_file_open(const char *name, int *ret_fd);

/* Append. 0 or -errno. */
int memory_file_write(int fd, const char *bytes, size_t length);

/* Map all of it for reading. 0; -ENODATA: it is empty; -errno. */
int memory_file_map(int fd, const char **ret_bytes, size_t *ret_length);
void memory_file_unmap(const char *bytes, size_t length);
