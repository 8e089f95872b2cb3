#include "logic/status/counters.h"

#include <assert.h>

#include "base/cleanup.h"
#include "base/saturating.h"
#include "prefork/scoreboard.h"

#define ROW(member, shown, held_in, slot_word, board_word, in_report, in_metrics, of_label, text)                      \
        [COUNTER_##member] = {.name = (shown),                                                                         \
                              .unit = (held_in),                                                                       \
                              .label = (in_report),                                                                    \
                              .metric = (in_metrics),                                                                  \
                              .value = (of_label),                                                                     \
                              .help = (text)},
const struct counter counter_table[COUNTER_COUNT] = {COUNTERS(ROW)};

/* A structure of nothing but counters is an array of them, in the order of the table. */
static_assert(sizeof(struct counters) == COUNTER_COUNT * sizeof(uint64_t), "one uint64_t for every row");

uint64_t *counter_of(struct counters *counters, enum counter_id id)
{
        assert((unsigned)id < COUNTER_COUNT);
        return (uint64_t *)counters + id;
}

const uint64_t *counter_of_const(const struct counters *counters, enum counter_id id)
{
        assert((unsigned)id < COUNTER_COUNT);
        return (const uint64_t *)counters + id;
}

static const uint64_t divisors[] = {
        [COUNTER_NUMBER] = 1, [COUNTER_OF_REQUESTS] = 1, [COUNTER_MS] = 1, [COUNTER_NS] = 1000000, [COUNTER_US] = 1000};
static_assert(ELEMENTS(divisors) == COUNTER_UNIT_COUNT, "a unit without its divisor");

uint64_t counter_shown(const struct counters *counters, enum counter_id id)
{
        return *counter_of_const(counters, id) / divisors[counter_table[id].unit];
}

void counter_take_shown(struct counters *counters, enum counter_id id, uint64_t shown)
{
        uint64_t divisor = divisors[counter_table[id].unit];

        *counter_of(counters, id) = shown > UINT64_MAX / divisor ? UINT64_MAX : shown * divisor;
}

bool counter_is_time(enum counter_id id)
{
        enum counter_unit unit = counter_table[id].unit;

        return unit == COUNTER_MS || unit == COUNTER_NS || unit == COUNTER_US;
}

#define NONE 0

void counters_add(struct counters *sum, const struct counters *more)
{
#define ADD_MEMBER(member, ...) sum->member = saturated_add(sum->member, more->member);
        COUNTERS(ADD_MEMBER)
}

void counters_read_slot(struct counters *ret, const struct prefork_slot *slot)
{
#define OF(word) atomic_load(&slot->word)
#define READ_WORD(member, shown, unit, slot_word, ...) ret->member = slot_word;
        COUNTERS(READ_WORD)
#undef OF
#undef READ_WORD
}

void counters_read_board(struct counters *ret, const struct prefork_scoreboard *board)
{
#define OF(word) atomic_load(&board->word)
#define READ_WORD(member, shown, unit, slot_word, board_word, ...) ret->member = board_word;
        COUNTERS(READ_WORD)
}
