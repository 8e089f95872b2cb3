#include "logic/status/decision_ring.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/cleanup.h"

void decision_ring_add(struct decision_ring *ring, uint64_t now_ms, const char *format, ...)
{
        struct decision *decision = &ring->items[ring->count % DECISION_RING_SIZE];
        va_list arguments;

        decision->time_ms = now_ms;
        decision->text[0] = '\0';
        va_start(arguments, format);
        vsnprintf(decision->text, sizeof(decision->text), format, arguments);
        va_end(arguments);
        ring->count++;
}

size_t decision_ring_length(const struct decision_ring *ring)
{
        return (size_t)MIN_OF(ring->count, (uint64_t)DECISION_RING_SIZE);
}

const struct decision *decision_ring_at(const struct decision_ring *ring, size_t age)
{
        if (age >= decision_ring_length(ring))
                return NULL;
        return &ring->items[(ring->count - 1 - age) % DECISION_RING_SIZE];
}
