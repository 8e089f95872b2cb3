#include "logic/status/tally.h"

#include <assert.h>
#include <string.h>

#include "base/cleanup.h"

/* Clocks of different processes are read in ms: what fits into one more is no lie. */
#define TICK_MS 1
/* The kernel measures CPU time in its own ticks. */
#define CPU_TICK_MS 20

static uint64_t minus(uint64_t value, uint64_t amount)
{
        return value > amount ? value - amount : 0;
}

static uint64_t product(uint64_t a, uint64_t b)
{
        uint64_t result;

        return __builtin_mul_overflow(a, b, &result) ? UINT64_MAX : result;
}

static void read_requests(struct tally_words *words, const struct prefork_slot *slot)
{
        words->begun = atomic_load(&slot->requests_begun);
        words->counters.requests = atomic_load(&slot->requests_ended);
}

static void read_refusals(struct counters *ret, const struct prefork_slot *slot)
{
        ret->refused_source = atomic_load(&slot->refused);
        ret->refused_access = atomic_load(&slot->refused_access);
        ret->refused_proxy = atomic_load(&slot->refused_proxy);
        ret->refused_rate = atomic_load(&slot->refused_rate);
        ret->refused_wait = atomic_load(&slot->refused_wait);
        ret->refused_banner = atomic_load(&slot->refused_banner);
        ret->refused = ret->refused_source + ret->refused_access + ret->refused_proxy + ret->refused_rate +
                       ret->refused_wait + ret->refused_banner;
}

bool tally_read(struct tally_words *ret, const struct prefork_slot *slot)
{
        struct tally_words first = {0};

        read_requests(&first, slot);
        read_refusals(&first.counters, slot);
        *ret = (struct tally_words){0};
        counters_read_slot(&ret->counters, slot);
        for (size_t i = 0; i < PREFORK_DURATION_BUCKETS; i++) {
                ret->durations[i] = atomic_load(&slot->durations[i]);
                ret->waits[i] = atomic_load(&slot->waits[i]);
        }
        /* Once more, after everything that is counted once a connection, and which may not be ahead by more than one.
         */
        read_refusals(&ret->counters, slot);
        read_requests(ret, slot);
        return first.begun == ret->begun && first.counters.requests == ret->counters.requests &&
               first.counters.refused == ret->counters.refused;
}

static bool has_begun_or_ended(const struct prefork_slot *slot, const struct tally *tally)
{
        return atomic_load(&slot->requests_begun) != tally->last.begun ||
               atomic_load(&slot->requests_ended) != tally->last.requests;
}

bool tally_has_news(const struct prefork_slot *slot, const struct tally *tally)
{
        struct counters refusals = {0};

        if (!tally->whole || has_begun_or_ended(slot, tally) || atomic_load(&slot->throttled) != tally->last.throttled)
                return true;
        read_refusals(&refusals, slot);
        return refusals.refused != tally->last.refused;
}

bool tally_read_busy(struct tally_words *ret, const struct prefork_slot *slot, const struct tally *tally)
{
        struct counters refusals = {0};

        read_refusals(&refusals, slot);
        if (!has_begun_or_ended(slot, tally) && refusals.refused == tally->last.refused)
                return false;
        *ret = tally->said;
        read_refusals(&ret->counters, slot);
        read_requests(ret, slot);
        return true;
}

void tally_read_board(struct tally_words *ret, const struct prefork_scoreboard *board)
{
        *ret = (struct tally_words){0};
        counters_read_board(&ret->counters, board);
}

/* At most one a request: as many as there were, and the one that is about to end. */
static uint64_t room_by_requests(const struct tally *tally, uint64_t counted)
{
        return minus(tally->counted.counters.requests + 1, counted);
}

/* By how much a counter can have grown since the last look. */
static uint64_t room_of(const struct tally *tally, enum counter_unit unit, uint64_t counted, uint64_t now_ms,
                        unsigned cpus)
{
        uint64_t age_ms = minus(now_ms, tally->since_ms), elapsed_ms = minus(now_ms, tally->looked_ms);

        switch (unit) {
        case COUNTER_NUMBER:
                return product(elapsed_ms + TICK_MS, 1000); /* one a microsecond */
        case COUNTER_OF_REQUESTS:
                return room_by_requests(tally, counted);
        case COUNTER_MS:
                return 0;
        case COUNTER_NS:
                return minus(product(age_ms + TICK_MS, 1000000), counted);
        case COUNTER_US:
                return minus(product(product(age_ms + CPU_TICK_MS, 1000), cpus), counted);
        case COUNTER_UNIT_COUNT:
                break;
        }
        assert(false);
        return 0;
}

static void count_word(uint64_t *said, uint64_t *counted, uint64_t now, uint64_t room, const char *name,
                       struct tally_lie *lie)
{
        if (now >= *said && now - *said <= room)
                *counted += now - *said;
        else if (!lie->name)
                *lie = (struct tally_lie){.name = name, .from = *said, .to = now};
        *said = now;
}

static void count_counter(struct tally *tally, enum counter_id id, const struct counters *now, uint64_t now_ms,
                          unsigned cpus, struct tally_lie *lie)
{
        uint64_t *counted = counter_of(&tally->counted.counters, id);
        uint64_t room = room_of(tally, counter_table[id].unit, *counted, now_ms, cpus);

        count_word(counter_of(&tally->said.counters, id), counted, *counter_of_const(now, id), room,
                   counter_table[id].name, lie);
}

/* All buckets together hold each of `requests` at most once, and the one that is about to end. */
static void count_buckets(uint64_t requests, uint32_t *said, uint32_t *counted, const uint32_t *now, const char *name,
                          struct tally_lie *lie)
{
        uint64_t before = 0, growth = 0;
        bool backwards = false;

        for (size_t i = 0; i < PREFORK_DURATION_BUCKETS; i++) {
                before += counted[i];
                growth += now[i] - said[i];
                backwards |= now[i] < said[i];
        }
        bool is_lie = backwards || growth > minus(requests + 1, before);
        for (size_t i = 0; i < PREFORK_DURATION_BUCKETS; i++) {
                counted[i] += is_lie ? 0 : now[i] - said[i];
                said[i] = now[i];
        }
        if (is_lie && !lie->name)
                *lie = (struct tally_lie){.name = name, .from = before, .to = before + growth};
}

/* Compared as bytes: there are none between the members. */
static_assert(sizeof(struct tally_words) ==
                      sizeof(struct counters) + sizeof(uint64_t) + 2 * sizeof(uint32_t[PREFORK_DURATION_BUCKETS]),
              "no padding");

struct tally_lie tally_count(struct tally *tally, const struct tally_words *words, uint64_t now_ms, unsigned cpus)
{
        struct tally_lie lie = {0};

        tally->last.begun = words->begun;
        tally->last.requests = words->counters.requests;
        tally->last.refused = words->counters.refused;
        tally->last.throttled = words->counters.throttled;
        if (memcmp(&tally->said, words, sizeof(*words)) == 0) { /* as most of many workers */
                tally->looked_ms = now_ms;
                return lie;
        }
        uint64_t room = room_of(tally, COUNTER_NUMBER, 0, now_ms, cpus);

        count_word(&tally->said.begun, &tally->counted.begun, words->begun, room, "begun", &lie);
        /* First, because others are compared with it. */
        count_counter(tally, COUNTER_requests, &words->counters, now_ms, cpus, &lie);
        for (int id = 0; id < COUNTER_COUNT; id++)
                count_counter(tally, (enum counter_id)id, &words->counters, now_ms, cpus, &lie);
        uint64_t requests = tally->counted.counters.requests,
                 late = tally->counted.counters.refused_wait + tally->counted.counters.refused_banner;
        count_buckets(requests, tally->said.durations, tally->counted.durations, words->durations, "durations", &lie);
        count_buckets(requests + late, tally->said.waits, tally->counted.waits, words->waits, "waits", &lie);
        tally->looked_ms = now_ms;
        return lie;
}
