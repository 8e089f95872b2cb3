/* The lines of a file of another program, without the blanks around them. A NUL in a file ends its line. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "logic/import/input.h"

struct words;

/* Initialise with the source; end with import_lines_clear(). */
struct import_lines {
        const struct import_source *source;
        bool joins; /* a line that ends in a backslash goes on in the next one */
        bool folds; /* a line that begins with a blank belongs to the one before it */
        size_t at;
        unsigned number, next_number;
        bool out_of_memory;
        struct text text; /* the line */
};

/* Move to the next line that is neither empty nor a comment (`marks`: the characters that begin one). NULL: there is
 * none, or out of memory. The line may be changed, and is valid until the next call. */
char *import_lines_next(struct import_lines *lines, const char *marks);

void import_lines_clear(struct import_lines *lines);

/* Cut the blanks at both ends; returns the first character that stays. */
char *import_trim(char *string);

/* Cut off and return the next word of *rest, and move *rest behind the blanks that follow it. "" at the end. */
char *import_word(char **rest);

/* Split at blanks and nowhere else: quotes and backslashes are bytes of a word, as to xinetd. 0 or -ENOMEM; *ret, which
 * is empty before, may then have some words. */
int import_split(const char *string, struct words *ret);

/* Number of the service of that name for `tcp` or `udp`, or the number itself, as services(5) has it. 0: not found. */
unsigned import_port(const struct import_source *services, const char *name, const char *protocol);
