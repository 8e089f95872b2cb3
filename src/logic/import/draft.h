/* A draft: the configuration that an importer writes, with comments on what it cannot carry over.
 *
 * What can be set is asked of the option table: an option that this version does not have becomes a comment, or, where
 * the pool would be wrong or too open without it, the pool is left out. Nothing that preforkd -t refuses is written:
 * draft_print() reads its own text as preforkd does, leaves out the pools that have problems, and puts a comment in the
 * place of a key without effect. A draft owns its texts; zero-initialise, end with draft_clear(). Memory that runs out
 * is remembered, and reported by draft_print(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "logic/config/config.h"

struct draft_pool {
        char *name;
        struct text values[POOL_OPTION_COUNT]; /* as a file would write them, on one line; empty: not set */
        struct text origin;                    /* comments above the section: where it comes from */
        struct text notes;                     /* comments below its keys, or instead of it */
        bool closed;                           /* nobody may connect: an access rule was lost */
        bool left_out;                         /* written as comments */
        unsigned first_line, last_line;        /* in the text that is written */
};

struct draft {
        struct draft_pool **pools;
        size_t pool_count;
        struct text notes;        /* comments above everything */
        const char *word, *value; /* the directive that is being carried over, for notes; NULL: none */
        bool undecided;           /* somebody has to decide something before all is served as it was */
        bool out_of_memory;
};

/* A new pool with this name, or one made of it that is a good name and unique. NULL if out of memory; the functions
 * below do nothing for such a pool. */
struct draft_pool *draft_add_pool(struct draft *draft, const char *name, const char *file, unsigned line);

/* Set an option to a value as a file would write it. False: not set, and a note says why. */
bool draft_set(struct draft *draft, struct draft_pool *pool, const char *option, const char *value);

/* The same for a pool that would be wrong without: it is left out. */
bool draft_require(struct draft *draft, struct draft_pool *pool, const char *option, const char *value);

/* The same for a rule about who may connect: the pool is closed. */
bool draft_restrict(struct draft *draft, struct draft_pool *pool, const char *option, const char *value);

/* Set an option to one word, which is quoted where it needs to be; or append the word to the option's value. */
bool draft_set_word(struct draft *draft, struct draft_pool *pool, const char *option, const char *word);
bool draft_add_word(struct draft *draft, struct draft_pool *pool, const char *option, const char *word);

/* What has been set; "" if nothing has. */
const char *draft_value(const struct draft_pool *pool, const char *option);

/* Does it listen at a UNIX socket; at anything else? */
bool draft_has_unix(struct draft *draft, const struct draft_pool *pool);
bool draft_has_network(struct draft *draft, const struct draft_pool *pool);

/* Add a comment to the pool, or (NULL) at the top. What does not belong into one line of text is shown as `?`. */
void draft_note(struct draft *draft, struct draft_pool *pool, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* The same, marked for somebody to decide. */
void draft_ask(struct draft *draft, struct draft_pool *pool, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Nobody may connect to the pool until somebody has decided. */
void draft_close(struct draft *draft, struct draft_pool *pool, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* The pool cannot be served: it stands as a comment, until somebody has decided. */
void draft_leave_out(struct draft *draft, struct draft_pool *pool, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Append the configuration. 0 or -ENOMEM. */
int draft_print(struct draft *draft, struct text *text);

void draft_clear(struct draft *draft);
