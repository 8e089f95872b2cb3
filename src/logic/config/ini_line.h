/* One physical line of a configuration: its kind, its name, and its value as libinih may see it.
 *
 * libinih takes `:` for `=`, finds comments inside quotes and trims blanks that quotes protect. So every line is
 * scanned here first: what libinih could misread is refused, comments are cut off, and in values the bytes that libinih
 * acts upon (blanks, `;`, `#`) are replaced by control bytes, which no line may contain. A coded value can be given to
 * libinih in pieces that are cut anywhere. Called by ini_reader alone. Quotes and backslashes are those of
 * base/words.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum ini_line_kind { INI_LINE_BLANK, INI_LINE_COMMENT, INI_LINE_SECTION, INI_LINE_KEY, INI_LINE_CONTINUATION };

/* Zero-initialise; a line can be scanned into again and again; end with ini_line_clear(). */
struct ini_line {
        enum ini_line_kind kind; /* valid even if the line is refused */
        struct text name;        /* of a section or key; of a continuation: the word before a `=`; empty: none */
        bool bracketed;          /* a continuation that looks like `[section]` */
        bool joins_next;         /* ends in a backslash: the next line is joined without a blank */
        size_t depth;            /* blanks before it */
        struct text value;       /* of a key or continuation, coded; see ini_line_decode() */
};

/* Scan the line, which has no newline. If it is indented by more than `depth` it continues the value above; if by less,
 * and it looks like a key or a section, it is one: people indent the keys of a section. SIZE_MAX: there is no value
 * above. 0; -EINVAL: refused, `error` says why; -ENOMEM. */
int ini_line_scan(const char *bytes, size_t length, size_t depth, struct ini_line *line, struct text *error);

/* Replace the control bytes in (a piece of) a coded value by the bytes that they stand for. */
void ini_line_decode(char *bytes, size_t length);

void ini_line_clear(struct ini_line *line);
