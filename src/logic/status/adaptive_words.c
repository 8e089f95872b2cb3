#include "logic/status/adaptive_words.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/figures.h"
#include "base/text.h"
#include "logic/policy/worth.h"
#include "logic/status/status.h"

static int append_level(const struct status_pool *pool, struct text *text)
{
        char idle[FIGURE_MAX], delay[FIGURE_MAX];

        figure_duration(pool->adaptive.off_delay_ms, delay);
        if (pool->adaptive.level == 0)
                return text_append(text, "no level of demand keeps a worker");
        if (pool->adaptive.idle_ms == 0)
                return text_appendf(text, "level %" PRIu64 " is busy, and keeps its worker for %s after that",
                                    pool->adaptive.level, delay);
        return text_appendf(text, "level %" PRIu64 " has been idle for %s of %s", pool->adaptive.level,
                            figure_duration(pool->adaptive.idle_ms, idle), delay);
}

static int append_spare(const struct status_pool *pool, struct text *text)
{
        char wait[FIGURE_MAX], start[FIGURE_MAX];

        figure_duration(pool->starts.wait_ms, wait);
        figure_microseconds(pool->starts.duration_us, start); /* which decides, and not the processor time of it */
        if (pool->adaptive.spare > pool->limits.min_spare && pool->starts.wait_ms == 0)
                return text_appendf(text,
                                    "; %" PRIu64 " spare, because clients waited for starts that took longer than %s",
                                    pool->adaptive.spare, start);
        if (pool->adaptive.spare > pool->limits.min_spare)
                return text_appendf(text, "; %" PRIu64 " spare, because a client's wait of %s for a start is worth %s",
                                    pool->adaptive.spare, start, wait);
        if (pool->adaptive.spare > 0)
                return text_appendf(text, "; %" PRIu64 " spare by min_spare_workers", pool->adaptive.spare);
        if (pool->starts.wait_ms == 0)
                return text_appendf(text, "; no spare ones, because nobody notices the %s of a start", start);
        return text_appendf(text, "; no spare ones, because too few clients waited %s for a start, at %s each", start,
                            wait);
}

int adaptive_words_append_worth(const struct status_pool *pool, uint64_t memory_bytes, unsigned cpus, struct text *text)
{
        char cpu[FIGURE_MAX], own[FIGURE_MAX], there[FIGURE_MAX];
        uint64_t worth_ms = pool->starts.worth_ms;

        if (pool->starts.cpu_us == 0 || pool->starts.worker_bytes == 0 || memory_bytes == 0 || cpus == 0)
                return 0;
        return text_appendf(text, " (%s / %u processor%s x %s / %s%s)",
                            figure_microseconds(pool->starts.cpu_us + WORTH_MASTER_CPU_US, cpu), cpus,
                            cpus == 1 ? "" : "s", figure_size(memory_bytes, there),
                            figure_size(MAX_OF(pool->starts.worker_bytes, WORTH_LEAST_BYTES), own),
                            worth_ms <= WORTH_LEAST_MS  ? ", a second at least"
                            : worth_ms >= WORTH_MOST_MS ? ", an hour at most"
                                                        : "");
}

int adaptive_words_append(const struct status_pool *pool, uint64_t memory_bytes, unsigned cpus, struct text *text)
{
        char worth[FIGURE_MAX];
        int r = append_level(pool, text);

        if (r == 0)
                r = text_appendf(text, "; a start is worth %s of an idle worker",
                                 figure_duration(pool->starts.worth_ms, worth));
        if (r == 0)
                r = adaptive_words_append_worth(pool, memory_bytes, cpus, text);
        return r == 0 ? append_spare(pool, text) : r;
}
