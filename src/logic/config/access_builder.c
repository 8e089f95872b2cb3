#include "logic/config/access_builder.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define DEPTH_MAX 130 /* a network for each prefix, and one more */
#define POINTS_PER_RULE 2

/* A range of keys with one answer. */
struct range {
        struct access_ipv6 first, last;
        enum access_answer answer;
};

struct point {
        struct access_ipv6 at;
        enum access_answer answer;
};

/* The points of one kind of key while they are found: `open` are the ranges around the present one, the outermost
 * first. */
struct sweep {
        struct point *points;
        size_t count;
        struct access_ipv6 most; /* the greatest key */
        const struct range *open[DEPTH_MAX];
        size_t depth;
};

static int compare_numbers(uint64_t a, uint64_t b)
{
        return a < b ? -1 : a > b;
}

static int compare_keys(struct access_ipv6 a, struct access_ipv6 b)
{
        int r = compare_numbers(a.high, b.high);

        return r != 0 ? r : compare_numbers(a.low, b.low);
}

/* Outer ranges before inner ones; of equal ones, that which denies is the inner one. */
static int compare_ranges(const void *one, const void *other)
{
        const struct range *a = one, *b = other;
        int r = compare_keys(a->first, b->first);

        if (r == 0)
                r = compare_keys(b->last, a->last);
        return r != 0 ? r : (int)a->answer - (int)b->answer;
}

static uint64_t number(const unsigned char *bytes, unsigned count)
{
        uint64_t value = 0;

        for (unsigned i = 0; i < count; i++)
                value = value << 8 | bytes[i];
        return value;
}

/* The last `bits` bits of 64 are set. */
static uint64_t ones(unsigned bits)
{
        return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static struct range range_of(const struct access_rule *rule)
{
        struct range range = {.answer = (enum access_answer)rule->answer};
        const struct network *network = &rule->network;

        if (rule->kind != ACCESS_OF_NETWORK) {
                range.first.low = range.last.low = rule->id;
                return range;
        }
        if (!network->is_v6) {
                range.first.low = number(network->bytes, 4);
                range.last.low = range.first.low | ones(32 - network->prefix);
                return range;
        }
        unsigned host_bits = 128 - network->prefix;
        range.first = (struct access_ipv6){.high = number(network->bytes, 8), .low = number(network->bytes + 8, 8)};
        range.last = range.first;
        range.last.low |= ones(host_bits);
        range.last.high |= host_bits > 64 ? ones(host_bits - 64) : 0;
        return range;
}

static bool is_of(const struct access_rule *rule, enum access_key key)
{
        switch (rule->kind) {
        case ACCESS_OF_NETWORK:
                return key == (rule->network.is_v6 ? ACCESS_IPV6 : ACCESS_IPV4);
        case ACCESS_OF_UID:
                return key == ACCESS_UID;
        case ACCESS_OF_GID:
                return key == ACCESS_GID;
        default:
                return false;
        }
}

static enum access_answer present(const struct sweep *sweep)
{
        return sweep->depth > 0 ? sweep->open[sweep->depth - 1]->answer : ACCESS_NO_RULE;
}

/* From that key on the answer is another one. */
static void mark(struct sweep *sweep, struct access_ipv6 at, enum access_answer answer)
{
        if (sweep->count > 0 && compare_keys(sweep->points[sweep->count - 1].at, at) == 0)
                sweep->count--; /* nothing lies between */
        enum access_answer before = sweep->count > 0 ? sweep->points[sweep->count - 1].answer : ACCESS_NO_RULE;
        if (before != answer)
                sweep->points[sweep->count++] = (struct point){.at = at, .answer = answer};
}

static void end_range(struct sweep *sweep)
{
        struct access_ipv6 last = sweep->open[--sweep->depth]->last;

        if (compare_keys(last, sweep->most) == 0)
                return;
        last.high += ++last.low == 0;
        mark(sweep, last, present(sweep));
}

static void begin_range(struct sweep *sweep, const struct range *range)
{
        while (sweep->depth > 0 && compare_keys(sweep->open[sweep->depth - 1]->last, range->first) < 0)
                end_range(sweep);
        bool is_same = sweep->depth > 0 && compare_keys(sweep->open[sweep->depth - 1]->first, range->first) == 0 &&
                       compare_keys(sweep->open[sweep->depth - 1]->last, range->last) == 0;
        if (is_same)
                sweep->depth--;
        assert(sweep->depth < DEPTH_MAX);
        sweep->open[sweep->depth++] = range;
        mark(sweep, range->first, range->answer);
}

/* The points of that kind of key; `points` has room for all, `ranges` for all rules. Returns how many there are. */
static size_t find_points(const struct access_rules *rules, enum access_key key, struct range *ranges,
                          struct point *points)
{
        struct sweep sweep = {.points = points, .most = {.high = 0, .low = UINT32_MAX}};
        size_t count = 0;

        if (key == ACCESS_IPV6)
                sweep.most = (struct access_ipv6){.high = UINT64_MAX, .low = UINT64_MAX};
        for (size_t i = 0; i < rules->count; i++)
                if (is_of(&rules->items[i], key))
                        ranges[count++] = range_of(&rules->items[i]);
        if (count > 0)
                qsort(ranges, count, sizeof(*ranges), compare_ranges);
        for (size_t i = 0; i < count; i++)
                begin_range(&sweep, &ranges[i]);
        while (sweep.depth > 0)
                end_range(&sweep);
        return sweep.count;
}

/* All points of one kind, put behind those of the others. */
struct layout {
        unsigned char *keys, *answers;
};

static void put(struct layout *layout, enum access_key key, const struct point *points, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                const uint32_t low = (uint32_t)points[i].at.low;
                const size_t size = key == ACCESS_IPV6 ? sizeof(points[i].at) : sizeof(low);
                memcpy(layout->keys, key == ACCESS_IPV6 ? (const void *)&points[i].at : &low, size);
                layout->keys += size;
                *layout->answers++ = (unsigned char)points[i].answer;
        }
}

static enum access_answer answer_of_unix(const struct access_rules *rules)
{
        enum access_answer answer = ACCESS_NO_RULE;

        for (size_t i = 0; i < rules->count; i++)
                if (rules->items[i].kind == ACCESS_OF_UNIX && rules->items[i].answer > (uint8_t)answer)
                        answer = (enum access_answer)rules->items[i].answer;
        return answer;
}

static int assemble(const struct access_rules *rules, bool is_closed, struct point *const *points, const size_t *counts,
                    struct access_table **ret)
{
        size_t total = 0, all = 0;

        static_assert(ACCESS_ALLOW < ACCESS_DENY, "the answer that counts is the greater one");
        for (unsigned key = 0; key < ACCESS_KEY_COUNT; key++) {
                total += counts[key] * (key == ACCESS_IPV6 ? sizeof(struct access_ipv6) : sizeof(uint32_t));
                all += counts[key];
        }
        size_t bytes = (sizeof(struct access_table) + total + all + 7) / 8 * 8;
        struct access_table *table = bytes <= UINT32_MAX ? calloc(1, bytes) : NULL;
        if (!table)
                return -ENOMEM;
        *table = (struct access_table){.version = ACCESS_TABLE_VERSION,
                                       .bytes = (uint32_t)bytes,
                                       .is_closed = is_closed,
                                       .unix_answer = answer_of_unix(rules)};
        struct layout layout = {.keys = (unsigned char *)(table + 1)};
        layout.answers = layout.keys + total;
        for (unsigned key = 0; key < ACCESS_KEY_COUNT; key++) {
                table->counts[key] = (uint32_t)counts[key];
                put(&layout, (enum access_key)key, points[key], counts[key]);
        }
        *ret = table;
        return 0;
}

int access_table_build(const struct access_rules *rules, bool is_closed, struct access_table **ret)
{
        size_t room = rules->count + 1;
        _cleanup_(freep) struct range *ranges = calloc(room, sizeof(*ranges));
        struct point *points[ACCESS_KEY_COUNT] = {0};
        size_t counts[ACCESS_KEY_COUNT] = {0};
        int r = ranges ? 0 : -ENOMEM;

        for (unsigned key = 0; key < ACCESS_KEY_COUNT && r == 0; key++) {
                points[key] = calloc(room * POINTS_PER_RULE, sizeof(struct point));
                if (!points[key])
                        r = -ENOMEM;
                else
                        counts[key] = find_points(rules, (enum access_key)key, ranges, points[key]);
        }
        if (r == 0)
                r = assemble(rules, is_closed, points, counts, ret);
        for (unsigned key = 0; key < ACCESS_KEY_COUNT; key++)
                free(points[key]);
        return r;
}

bool access_table_equal(const struct access_table *a, const struct access_table *b)
{
        if (!a || !b)
                return a == b;
        return a->bytes == b->bytes && memcmp(a, b, a->bytes) == 0;
}
