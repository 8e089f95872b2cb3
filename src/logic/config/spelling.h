/* Spelling: the known word that a mistyped one most likely meant. Pure; used in problems about unknown keys and words.
 *
 * struct spelling spelling = {.word = typed}; offer it every candidate; then `best` is the nearest one, or NULL if none
 * is near enough. It borrows the strings. */
#pragma once

struct spelling {
        const char *word;
        const char *best;
        unsigned distance; /* of `best` */
};

/* Edits that lead from a to b: insertions, deletions, replacements, swaps of neighbours (Damerau-Levenshtein distance
 * in the form that edits no part twice). UINT_MAX for words of more than 63 bytes. */
unsigned spelling_distance(const char *a, const char *b);

void spelling_offer(struct spelling *spelling, const char *candidate);
