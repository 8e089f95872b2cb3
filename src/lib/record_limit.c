#include "lib/record_limit.h"

#include "lib/line.h"

/* The word: the second of the last record, counted from 1, in the upper half (0: there was none); how many were left
 * out since then in the lower half. */

/* A time in the future is garbage. */
static bool is_over(uint64_t word, uint32_t second)
{
        uint32_t last = (uint32_t)(word >> 32);

        return last == 0 || last > second || second - last >= RECORD_LIMIT_S;
}

bool record_limit_take(_Atomic uint64_t *word, uint64_t now_ns, uint32_t *ret_more)
{
        uint32_t second = (uint32_t)(now_ns / 1000000000) + 1;
        uint64_t before = atomic_load(word), after;

        do {
                if (is_over(before, second))
                        after = (uint64_t)second << 32;
                else
                        after = (uint32_t)before < UINT32_MAX ? before + 1 : before;
        } while (!atomic_compare_exchange_weak(word, &before, after));
        *ret_more = (uint32_t)before;
        return is_over(before, second);
}

const char *record_limit_text(uint32_t more, char text[static RECORD_LIMIT_TEXT_MAX])
{
        struct line line = line_begin(text, RECORD_LIMIT_TEXT_MAX);

        if (more > 0) {
                line_add(&line, "; and ");
                line_add_number(&line, more);
                line_add(&line, " more since the last such record");
        }
        return text;
}
