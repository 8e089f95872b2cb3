#include "logic/status/service_state.h"

#include "base/cleanup.h"
#include "base/text.h"

#define NAMED_POOLS_MAX 8

static const char backing_off[] = "backing off", waiting[] = "waiting for";

/* Nobody of the pool could serve. With workers that do, failures of others are no reason not to be ready. */
static bool is_failing(const struct service_pool *pool)
{
        return pool->failures > 0 && pool->able == 0 && !pool->is_deaf;
}

/* Nobody is on the way: a pool that is to have no worker until a connection waits. */
static bool is_settled(const struct service_pool *pool)
{
        return pool->able > 0 || pool->is_deaf || is_failing(pool) || (pool->started && pool->starting == 0);
}

enum service_readiness service_readiness_of(const struct service_pool *pools, size_t count)
{
        size_t failing = 0, deaf = 0;

        for (size_t i = 0; i < count; i++) {
                if (!is_settled(&pools[i]))
                        return SERVICE_STARTING;
                failing += is_failing(&pools[i]);
                deaf += pools[i].is_deaf;
        }
        /* Pools that wait for their addresses may do so for long, and are as they should be. */
        return failing + deaf < count || failing == 0 ? SERVICE_READY : SERVICE_UNABLE;
}

/* What is worth a word about a pool; NULL: nothing. Where several hold, its state (logic/status), but first of all that
 * it serves nobody. */
static const char *describe(const struct service_pool *pool)
{
        if (is_failing(pool))
                return backing_off;
        if (pool->closing)
                return "closing";
        if (pool->waits_for)
                return waiting;
        if (pool->is_deaf)
                return "not listening";
        if (pool->backing_off)
                return backing_off;
        if (pool->saturated)
                return "saturated";
        return !is_settled(pool) ? "starting" : NULL;
}

static int append_pool(struct text *text, const struct service_pool *pool, const char *what)
{
        int r = text_appendf(text, "; %s %s", pool->name, what);

        if (r == 0 && what == waiting)
                r = text_appendf(text, " %s", pool->waits_for);
        if (r == 0 && what == backing_off && pool->failures > 0)
                r = text_appendf(text, " after %u failed start%s", pool->failures, pool->failures == 1 ? "" : "s");
        return r;
}

int service_status_format(const struct service_pool *pools, size_t count, struct text *text)
{
        size_t workers = 0, named = 0;
        int r;

        for (size_t i = 0; i < count; i++)
                workers += pools[i].workers;
        r = text_appendf(text, "%zu pool%s, %zu worker%s", count, count == 1 ? "" : "s", workers,
                         workers == 1 ? "" : "s");
        for (size_t i = 0; i < count && r == 0; i++) {
                const char *what = describe(&pools[i]);
                if (what && named++ < NAMED_POOLS_MAX)
                        r = append_pool(text, &pools[i], what);
        }
        if (r == 0 && named > NAMED_POOLS_MAX)
                r = text_appendf(text, "; and %zu more", named - NAMED_POOLS_MAX);
        return r;
}

int service_append_line(struct text *text, const char *string, size_t most)
{
        size_t start = text->length;
        int r = 0;

        while (*string != '\0' && r == 0) {
                size_t length = text_printable_length(string, strlen(string));
                r = text_append_bytes(text, string, length);
                string += length;
                if (r == 0 && *string != '\0') {
                        r = text_append(text, *string == '\t' ? " " : "?");
                        string++;
                }
        }
        if (r == 0 && text->length - start > most) {
                while (most > 0 && ((unsigned char)text->bytes[start + most] & 0xc0) == 0x80)
                        most--;
                text->length = start + most;
                text->bytes[text->length] = '\0';
        }
        return r;
}
