/* Files in memory (memfd_create(2)), by which one process passes a text to another: the writer never waits for the
 * reader, who maps the whole file. Called by master/config for the configuration child, by master/state for the
 * hand-over, and by worker/gate_memory for programs that are executed in place of a worker. */
#pragma once

#include <stddef.h>

/* Make an empty file with an O_CLOEXEC descriptor, which the caller owns. 0 or -errno. */
int memory_file_open(const char *name, int *ret_fd);

/* Append. 0 or -errno. */
int memory_file_write(int fd, const char *bytes, size_t length);

/* Nobody may change it any more. 0 or -errno. */
int memory_file_seal(int fd);

/* Map all of it for reading. 0; -ENODATA: it is empty; -errno. */
int memory_file_map(int fd, const char **ret_bytes, size_t *ret_length);
void memory_file_unmap(const char *bytes, size_t length);
