#include "logic/policy/budget.h"

#include <assert.h>

#include "base/cleanup.h"
#include "base/saturating.h"

/* How long connections of a pool without a worker wait at most for one whose queue is older. */
#define PATIENCE_MS 10000

/* All rows in sum. */
struct summary {
        int64_t free;   /* less than 0: the total was lowered */
        int64_t coming; /* will be free soon */
        int64_t urgent, wants;
        uint64_t urgent_since_ms; /* the oldest of the urgent ones */
};

void budget_add(struct budget *budget, struct budget_row *row)
{
        struct budget_row **link = &budget->first;

        while (*link)
                link = &(*link)->next;
        row->next = NULL;
        *link = row;
}

void budget_remove(struct budget *budget, const struct budget_row *row)
{
        struct budget_row **link = &budget->first;

        while (*link && *link != row)
                link = &(*link)->next;
        assert(*link);
        *link = row->next;
}

uint64_t budget_used(const struct budget *budget)
{
        uint64_t used = 0;

        for (const struct budget_row *row = budget->first; row; row = row->next)
                used += row->used;
        return used;
}

/* False if it has been looked at and could not use as many as there are: it does not keep others waiting. */
static bool waits(const struct budget_row *row, int64_t free)
{
        return row->wants > 0 && (row->in_vain == 0 || free > (int64_t)row->in_vain);
}

static unsigned live(const struct budget_row *row)
{
        return row->used - MIN_OF(row->ending, row->used);
}

static struct summary sum_up(const struct budget *budget, uint64_t now_ms)
{
        struct summary sum = {.free = (int64_t)budget->total - (int64_t)budget_used(budget),
                              .urgent_since_ms = UINT64_MAX};

        for (const struct budget_row *row = budget->first; row; row = row->next) {
                if (now_ms < saturated_add(row->ending_ms, BUDGET_SOON_MS))
                        sum.coming += row->ending;
                if (!waits(row, sum.free))
                        continue;
                sum.urgent += row->urgent;
                sum.wants += row->wants;
                if (row->urgent > 0)
                        sum.urgent_since_ms = MIN_OF(sum.urgent_since_ms, row->urgent_ms);
        }
        return sum;
}

/* True if what `a` waits for, since `a_ms`, comes before what `b` waits for: of equals, that of the first row. */
static bool is_before(const struct budget *budget, const struct budget_row *a, uint64_t a_ms,
                      const struct budget_row *b, uint64_t b_ms)
{
        if (a_ms != b_ms)
                return a_ms < b_ms;
        for (const struct budget_row *row = budget->first; row; row = row->next)
                if (row == a || row == b)
                        return row == a;
        return false;
}

static unsigned at_least_zero(int64_t value)
{
        return value > 0 ? (unsigned)MIN_OF(value, (int64_t)UINT32_MAX) : 0;
}

/* What is left when others have taken what comes before. */
static unsigned places_for(const struct budget *budget, const struct budget_row *own, int64_t free)
{
        int64_t urgent_before = 0, urgent_after = 0, wanted_before = 0;

        for (const struct budget_row *row = budget->first; row; row = row->next) {
                if (row == own || !waits(row, free))
                        continue;
                bool first = is_before(budget, row, row->urgent_ms, own, own->urgent_ms);
                *(own->urgent == 0 || first ? &urgent_before : &urgent_after) += row->urgent;
                if (own->wants == 0 || is_before(budget, row, row->since_ms, own, own->since_ms))
                        wanted_before += row->wants - row->urgent;
        }
        unsigned must = MIN_OF(own->urgent, at_least_zero(free - urgent_before));
        return MAX_OF(must, at_least_zero(free - urgent_before - urgent_after - wanted_before));
}

/* True if the last worker of a pool stays: its connections have waited longer than those it would be for. But a long
 * queue must not keep others out for as long as it lasts. */
static bool keeps_its_last(const struct budget_row *row, const struct summary *sum, uint64_t now_ms)
{
        return live(row) < 2 * row->unit && row->wants > 0 && row->since_ms <= sum->urgent_since_ms &&
               now_ms < saturated_add(sum->urgent_since_ms, PATIENCE_MS);
}

/* The row that gives a worker which it would keep: one that has idle workers, or the one that has most workers. */
static struct budget_row *choose_giver(const struct budget *budget, const struct summary *sum, uint64_t now_ms)
{
        struct budget_row *best = NULL;

        for (struct budget_row *row = budget->first; row; row = row->next) {
                if (row->gives_none || live(row) < row->pledged + row->unit || row->urgent > 0 ||
                    keeps_its_last(row, sum, now_ms))
                        continue;
                if (!best || row->idle > best->idle || (row->idle == best->idle && live(row) > live(best)))
                        best = row;
        }
        return best;
}

/* How many places are missing, of those that will not be free soon anyway. */
static int64_t missing_of(const struct summary *sum, int64_t wanted)
{
        return wanted - sum->free - sum->coming;
}

static bool may_be_asked(const struct budget_row *row)
{
        return !row->gives_none && row->wants == 0 && live(row) > 0;
}

struct budget_grant budget_grant(const struct budget *budget, const struct budget_row *own, uint64_t now_ms)
{
        const struct summary sum = sum_up(budget, now_ms);
        struct budget_grant grant = {.places = places_for(budget, own, sum.free)};
        int64_t missing = missing_of(&sum, sum.wants);

        if (missing > 0 && may_be_asked(own))
                grant.give = MIN_OF(at_least_zero(missing), live(own));
        if (missing_of(&sum, sum.urgent) > 0 && sum.urgent > 0 && choose_giver(budget, &sum, now_ms) == own) {
                grant.any = true;
                grant.give = MAX_OF(grant.give, own->unit);
        }
        if (grant.give > 0)
                grant.places = 0;
        return grant;
}

static uint64_t rank_of(const struct budget_row *row)
{
        return row->urgent > 0 ? row->urgent_ms : row->since_ms;
}

/* The first of those that wait and can be given a place. */
static struct budget_row *find_first(const struct budget *budget, int64_t free)
{
        struct budget_row *first = NULL;

        for (struct budget_row *row = budget->first; row; row = row->next) {
                if (!waits(row, free))
                        continue;
                bool more_urgent = !first || (row->urgent > 0) > (first->urgent > 0);
                bool as_urgent = first && (row->urgent > 0) == (first->urgent > 0);
                if (more_urgent || (as_urgent && rank_of(row) < rank_of(first)))
                        first = row;
        }
        return first;
}

/* The one with the most to give, of those that do not watch for idle workers yet. */
static struct budget_row *find_spare(const struct budget *budget)
{
        struct budget_row *best = NULL;

        for (struct budget_row *row = budget->first; row; row = row->next)
                if (may_be_asked(row) && row->asked < BUDGET_SPARE &&
                    (!best || (int64_t)row->idle - row->keeps > (int64_t)best->idle - best->keeps))
                        best = row;
        return best;
}

struct budget_row *budget_next(const struct budget *budget, uint64_t now_ms)
{
        const struct summary sum = sum_up(budget, now_ms);
        struct budget_row *row = find_first(budget, sum.free);

        if (row && sum.free >= (int64_t)row->unit)
                return row;
        if (missing_of(&sum, sum.wants) > 0 && (row = find_spare(budget)))
                return row;
        if (sum.urgent == 0 || missing_of(&sum, sum.urgent) <= 0)
                return NULL;
        row = choose_giver(budget, &sum, now_ms);
        return row && row->asked < BUDGET_ANY ? row : NULL;
}
