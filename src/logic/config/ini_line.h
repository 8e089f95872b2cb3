/* One physical line of a configuration: what kind it is, and what of it libinih may see.
 *
 * libinih as distributions build it cuts long lines and names, takes `:` for `=`, and finds comments inside quotes; it
 * refuses none of this. So every line is scanned here first: what it could misread is refused, comments are cut off,
 * and bytes that quotes or a backslash protect and that it would act upon (blanks, `;`) travel as control bytes, which
 * no line may contain. Called by ini_reader alone. Quotes and backslashes are those of base/words.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text;

/* The longest line but comments, without its newline: what libinih's buffer of 200 bytes holds, newline and NUL aside.
 * Fixed, so that a file that is good here is good with every build of the library. */
#define INI_LINE_MAX 198
/* The longest name of a section or key: its buffers hold 50 bytes. */
#define INI_NAME_MAX 49

enum ini_line_kind { INI_LINE_BLANK, INI_LINE_COMMENT, INI_LINE_SECTION, INI_LINE_KEY, INI_LINE_CONTINUATION };

struct ini_line {
        enum ini_line_kind kind;       /* valid even if the line is refused */
        char name[INI_NAME_MAX + 1];   /* of a section or key; of a continuation: the word before a `=`; "" if none */
        bool bracketed;                /* a continuation that looks like `[section]` */
        bool joins_next;               /* ends in a backslash: the next line goes on without a blank */
        char text[INI_LINE_MAX + 1];   /* for libinih; "" for blank lines and comments */
};

/* Scan the line (no newline in it). 0; -EINVAL: refused, `complaint` says why; -ENOMEM. */
int ini_line_scan(const char *bytes, size_t length, struct ini_line *ret, struct text *complaint);

/* Turn the control bytes in what libinih handed back into what they stand for. */
void ini_line_decode(char *value);
