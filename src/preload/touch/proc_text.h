/* What the kernel says in /proc about the process, without libc. Used by touch/, and by preload/own_fds and
 * preload/listeners. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROC_PATH 48

/* "/proc/self/fd/" and a number. */
void proc_path(char to[PROC_PATH], const char *directory, int number);

/* A text, cut off at `size` - 1. -errno. */
long proc_read(const char *path, char *to, size_t size);

/* The next line behind the first one of `text` that begins so, or NULL. */
const char *proc_line(const char *text, const char *prefix);

/* The number behind a name in a line; 0: there is none. */
uint64_t proc_number(const char *line, const char *name, unsigned base);

bool proc_is(const char *text, const char *other);

/* The open descriptors, one after the other. They may be closed and opened meanwhile. Without /proc the numbers below
 * PROC_TRIED are tried. */
#define PROC_TRIED 4096

struct proc_fds {
        int directory; /* -1: there is no /proc */
        int tried;
        long length, at;
        char entries[2048];
};

void proc_fds_begin(struct proc_fds *ret);
void proc_fds_end(struct proc_fds *fds);

/* -1: no more. */
int proc_fds_next(struct proc_fds *fds);
