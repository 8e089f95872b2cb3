#include "os/process/title.h"

#include <bsd/stdlib.h>
#include <bsd/unistd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "preforkd"

/* The memory of the original arguments, where titles are written: its first and its last byte. NULL before
 * process_title_init(). */
static char *first_byte, *last_byte;

void process_title_init(int argc, char **argv, char **environment)
{
        if (argc < 1)
                return;
        char *first = argv[0], *last = argv[argc - 1], *end = last + strlen(last);
        setprogname(NAME); /* or titles would begin with that of the file; before a copy of it is made */
        setproctitle_init(argc, argv, environment);
        if (environ == environment || (argc > 1 && argv[argc - 1] == last)) /* no memory; nothing else says so */
                return;
        first_byte = first;
        last_byte = end;
}

void process_title_set(const char *format, ...)
{
        char title[256]; /* setproctitle() keeps 255 bytes, with the program's name */
        va_list arguments;

        if (!first_byte) /* setproctitle() would complain on stderr each time */
                return;
        va_start(arguments, format);
        vsnprintf(title, sizeof(title), format, arguments);
        va_end(arguments);
        setproctitle("%s", title);
        /* A title that is longer has overwritten the last byte. One that ends exactly there keeps the NUL and its
         * padding. */
        char *end = first_byte + strlen(first_byte);
        if (end < last_byte)
                *last_byte = '.';
        /* One that is as long as the program's path has got a blank behind it, for kernels of long ago. */
        if ((size_t)(end - first_byte) == strlen(NAME ": ") + strlen(title) + 1)
                end[-1] = '\0';
}
