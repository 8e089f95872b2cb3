/* Words of other programs: options of xinetd, tcpserver, php-fpm, Apache's prefork MPM, systemd and inetd, and what
 * they are called here. Pure; used in problems about unknown keys. The tables in preforkd(8), MIGRATION, say the same.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text;

struct foreign_word {
        const char *program;
        const char *word;   /* compared without regard to case, and to `-` and `_` */
        const char *ours;   /* the option; NULL: there is none */
        const char *advice; /* what to do beside or instead; NULL: nothing */
};

extern const struct foreign_word foreign_words[];
extern const size_t foreign_word_count;

/* The row of the word, or NULL. */
const struct foreign_word *foreign_find(const char *word);

/* Append `xinetd's instances is max_workers here (…)`; with dashes `--max-workers`, for the command line. 0 or
 * -ENOMEM. */
int foreign_describe(const struct foreign_word *word, bool dashes, struct text *text);
