#include "logic/config/spelling.h"

#include <limits.h>
#include <string.h>

#include "base/cleanup.h"

#define WORD_MAX 63

unsigned spelling_distance(const char *a, const char *b)
{
        /* Three rows of the usual table: the swap of neighbours looks two rows back. */
        unsigned rows[3][WORD_MAX + 1];
        size_t a_length = strlen(a), b_length = strlen(b);

        if (a_length > WORD_MAX || b_length > WORD_MAX)
                return UINT_MAX;
        for (size_t j = 0; j <= b_length; j++)
                rows[0][j] = (unsigned)j;
        for (size_t i = 1; i <= a_length; i++) {
                unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
                row[0] = (unsigned)i;
                for (size_t j = 1; j <= b_length; j++) {
                        unsigned replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
                        row[j] = MIN_OF(MIN_OF(above[j] + 1, row[j - 1] + 1), replaced);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                row[j] = MIN_OF(row[j], two_above[j - 2] + 1);
                }
        }
        return rows[a_length % 3][b_length];
}

void spelling_offer(struct spelling *spelling, const char *candidate)
{
        size_t length = strlen(spelling->word), other = strlen(candidate);
        /* At most one edit for every three letters: with more, short words would match each other by chance. */
        size_t limit = MAX_OF(length / 3, (size_t)1);

        /* Each edit changes the length by one at most. This spares nearly all tables. */
        if (MAX_OF(length, other) - MIN_OF(length, other) > limit)
                return;
        unsigned distance = spelling_distance(spelling->word, candidate);
        if (distance > limit || distance >= length || (spelling->best && distance >= spelling->distance))
                return;
        spelling->best = candidate;
        spelling->distance = distance;
}
