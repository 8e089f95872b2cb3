/* The file as the log process writes it: opened, opened anew, and what happens when it cannot be written.
 *
 * Owned by logger_main. The process may wait here: that is what it is for. What must stay true: lines are written whole
 * and in the order in which they came; what is not written is counted, and a line in the file says how many are missing
 * at that place. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/log/line.h"

/* Initialise with path and fd -1. */
struct log_writer {
        const char *path;
        struct log_form form;
        int fd;            /* -1: it was not opened yet */
        int open_error;    /* why it could not be opened when that was tried last; 0: it could */
        int write_error;   /* the same for writing; then nothing is tried before retry_ms */
        char why[160];     /* the last error in words */
        bool line_is_open; /* the file ends with a part of a line */
        uint64_t missing;  /* lines not written since the last that was */
        uint64_t dropped;  /* in total */
        uint64_t retry_ms;
};

/* Are lines written? Also to a file that was opened before an attempt that failed. */
static inline bool log_writer_writes(const struct log_writer *writer)
{
        return writer->fd >= 0 && writer->write_error == 0;
}

/* Open the file, or open it anew; if that fails, the one that is open stays. True: it was opened. Else open_error says
 * why. */
bool log_writer_open(struct log_writer *writer);

/* Write whole lines, each ended by its newline, or count them. */
void log_writer_write(struct log_writer *writer, const char *bytes, size_t length);

void log_writer_close(struct log_writer *writer);
