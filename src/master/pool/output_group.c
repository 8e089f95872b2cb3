#include "master/pool/output_group.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/loop/evloop.h"
#include "os/clock.h"

#define BYTES_A_LINE 256 /* a longer line counts as more than one */

/* That of stderr_rate_limit, for pools that are no longer configured. */
static const struct rate default_rate = {.count = 1000, .period_ms = 1000, .burst = 5000};

/* To read a pipe of 16 KiB takes some 25 µs, of which a line takes as much as 20 bytes. Two seconds of that are free.
 */
#define READ_BURST 2000
#define READ_UNIT_BYTES 16384
#define LINE_COST_BYTES 20
#define READ_PAUSE_MS 10

#define TELL_FIRST_MS 1000  /* after the first that was dropped */
#define TELL_AGAIN_MS 10000 /* after it was told last */

static void tell(struct output_group *group)
{
        const struct log_fields fields = {.pool = group->pool_name};

        if (group->dropped > 0)
                log_emit(LOG_WARNING, &fields, "%llu lines of stderr were dropped: its handlers write too many",
                         (unsigned long long)group->dropped);
        if (group->closed > 0)
                log_emit(LOG_WARNING, &fields,
                         "the stderr of %llu workers that have ended was closed: too many processes that handlers left "
                         "behind hold such pipes",
                         (unsigned long long)group->closed);
        group->dropped = group->closed = 0;
        group->told_ms = clock_now_ms();
}

static void on_timer(void *context)
{
        struct output_group *group = context;

        group->is_waiting = false;
        tell(group);
}

/* Without memory for a timer it is told at the end. */
static void tell_later(struct output_group *group, uint64_t now_ms)
{
        if (group->is_waiting || (!group->timer && evloop_timer_new(group->loop, on_timer, group, &group->timer) < 0))
                return;
        uint64_t again_ms = group->told_ms > 0 ? group->told_ms + TELL_AGAIN_MS : 0;
        evloop_timer_set(group->timer, MAX_OF(now_ms + TELL_FIRST_MS, again_ms));
        group->is_waiting = true;
}

static struct output_group *make(struct output_group **first, struct evloop *loop, const char *pool_name)
{
        struct output_group *group = calloc(1, sizeof(*group));
        char *name = strdup(pool_name);

        if (!group || !name) {
                free(group);
                free(name);
                return NULL;
        }
        *group = (struct output_group){
                .loop = loop, .next = *first, .link = first, .pool_name = name, .rate = default_rate};
        if (group->next)
                group->next->link = &group->next;
        *first = group;
        return group;
}

struct output_group *output_group_find(struct output_group *first, const char *pool_name)
{
        while (first && strcmp(first->pool_name, pool_name) != 0)
                first = first->next;
        return first;
}

struct output_group *output_group_join(struct output_group **first, struct evloop *loop, const char *pool_name)
{
        struct output_group *group = output_group_find(*first, pool_name);

        if (!group)
                group = make(first, loop, pool_name);
        if (group)
                group->members++;
        return group;
}

void output_group_leave(struct output_group *group)
{
        if (--group->members > 0)
                return;
        tell(group);
        *group->link = group->next;
        if (group->next)
                group->next->link = group->link;
        evloop_timer_free(group->timer);
        free(group->pool_name);
        free(group);
}

void output_group_set_rate(struct output_group *group, const struct rate *rate)
{
        if (group->rate.count == rate->count && group->rate.period_ms == rate->period_ms &&
            group->rate.burst == rate->burst)
                return;
        group->rate = *rate;
        group->lines = (struct rate_limit){0}; /* what was spent has another worth now */
}

bool output_group_may_log(struct output_group *group, size_t length)
{
        if (rate_limit_admits(&group->lines, clock_now_ns() / 1000, &group->rate, 1 + length / BYTES_A_LINE))
                return true;
        group->dropped++;
        tell_later(group, clock_now_ms());
        return false;
}

unsigned output_group_read_pause_ms(struct output_group *group)
{
        if (rate_limit_left(&group->reads, clock_now_ms(), READ_BURST) > 0)
                return 0;
        return READ_PAUSE_MS + group->members; /* so that the looks themselves stay cheap */
}

void output_group_note_read(struct output_group *group, size_t bytes, size_t lines)
{
        uint64_t now_ms = clock_now_ms(), left = rate_limit_left(&group->reads, now_ms, READ_BURST);

        group->read_cost += bytes + LINE_COST_BYTES * lines;
        rate_limit_take(&group->reads, now_ms, READ_BURST, MIN_OF(group->read_cost / READ_UNIT_BYTES, left));
        group->read_cost %= READ_UNIT_BYTES;
}

void output_group_note_closed(struct output_group *group)
{
        group->closed++;
        tell_later(group, clock_now_ms());
}
