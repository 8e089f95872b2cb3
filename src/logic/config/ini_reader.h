/* The INI reader: the text of one file as sections, keys and values, each with its place.
 *
 * The grammar is libinih's, made strict: what that library would cut, guess or skip is a problem with its line.
 *
 *   [section]             letters, digits, `_`, `-`, `.`; only a comment may follow the bracket
 *   key = value           a value's quotes and backslashes are those of base/words.h and are handed on as written
 *       goes on           an indented line continues the value above, joined by one blank; a line that ends in a
 *                         backslash is joined as it stands, so that a word of any length can be written
 *   # comment, ; comment  on a line of its own, also between the lines of a value
 *   key = value ; after a value only `;` after a blank starts a comment, and not in quotes
 *
 * A blank line ends a value. An indented line that looks like a known key or a section is refused: it is more likely a
 * mistake than a part of the value above. Called by config_parse. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct problem_list;

struct ini_place {
        const char *file; /* NULL: none; valid during the call */
        unsigned line;
};

/* What the reader reports to its caller, in the order of the file. Functions return 0, or -ENOMEM to end it. */
struct ini_events {
        void *context;
        /* `name` is "" if the line was refused: the keys below belong to no known section. */
        int (*section)(void *context, const char *name, struct ini_place place);
        /* `value` is NULL if it was refused (a problem says why): the key is there, its value is unknown. */
        int (*value)(void *context, const char *key, const char *value, struct ini_place place);
        bool (*is_key)(const char *word); /* true for words that are keys somewhere */
};

/* Read `bytes`. With `line_directives`, a comment `#line N "FILE"` says that the next line is line N of FILE ("": of no
 * file; in FILE, \" \\ and \n stand for themselves and a newline). 0, or -ENOMEM; problems do not end the reading. */
int ini_read(const struct ini_events *events, const char *file, const char *bytes, size_t length, bool line_directives,
             struct problem_list *problems);
