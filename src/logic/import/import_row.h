/* What becomes of a directive of another program: one table of such rows a format. The tables in preforkd(8),
 * MIGRATION, say the same (tests/docs); `preforkctl import FORMAT --table` prints them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "logic/import/draft.h"

struct import_directive {
        const char *word;  /* as it stands in the file */
        const char *value; /* without the blanks around it */
        const char *file;
        unsigned line;
};

struct import_row {
        const char *word;
        const char *ours;   /* the option; NULL: none */
        const char *advice; /* why not, and what to do; or how it is carried over; NULL: nothing to add */
        /* Carries the directive over. NULL: it is a part of something larger, which the format puts together itself. */
        void (*take)(struct draft *draft, struct draft_pool *pool, const struct import_row *row,
                     const struct import_directive *directive);
};

/* The first row of the word, with or without regard to case; or one whose word ends in `*`, and the word begins so.
 * NULL: there is none. */
const struct import_row *import_row_find(const struct import_row *rows, size_t count, const char *word, bool any_case);

/* Take a directive; a word without a row is noted as unknown, for somebody to decide. */
void import_row_take(struct draft *draft, struct draft_pool *pool, const struct import_row *row,
                     const struct import_directive *directive);

/* --- ways to take one: */
#define IMPORT_TAKE(name)                                                                                              \
        void name(struct draft *draft, struct draft_pool *pool, const struct import_row *row,                          \
                  const struct import_directive *directive)

IMPORT_TAKE(import_take_same);        /* the option gets the value */
IMPORT_TAKE(import_take_word);        /* the option gets the value as one word */
IMPORT_TAKE(import_take_yes_no);      /* yes/no, in any spelling of systemd, php and xinetd */
IMPORT_TAKE(import_take_note);        /* a comment with the advice */
IMPORT_TAKE(import_take_ask);         /* the same, and somebody has to decide */
IMPORT_TAKE(import_take_close);       /* a rule about who may connect that is lost */
IMPORT_TAKE(import_take_restriction); /* the option gets the value; without the option the rule is lost */
IMPORT_TAKE(import_take_limit);       /* a resource limit: UNLIMITED, infinity, K and M, soft:hard */
IMPORT_TAKE(import_take_time);        /* a time span, in the units of systemd and php */

/* True for yes, on, true, 1; in any case. */
bool import_is_yes(const char *value);
