#include "logic/status/decision_ring.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/cleanup.h"

__attribute__((format(printf, 3, 0))) static void fill(struct decision *decision, struct decision head,
                                                       const char *format, va_list arguments)
{
        *decision = head;
        vsnprintf(decision->text, sizeof(decision->text), format, arguments);
}

void decision_ring_add(struct decision_ring *ring, uint64_t now_ms, const char *format, ...)
{
        const struct decision head = {.time_ms = now_ms, .number = ring->count + ring->template_count};
        va_list arguments;

        va_start(arguments, format);
        fill(&ring->items[ring->count++ % DECISION_RING_SIZE], head, format, arguments);
        va_end(arguments);
}

void decision_ring_add_template(struct decision_ring *ring, uint64_t now_ms, const char *format, ...)
{
        const struct decision head = {
                .time_ms = now_ms, .number = ring->count + ring->template_count, .of_template = true};
        va_list arguments;

        va_start(arguments, format);
        fill(&ring->of_templates[ring->template_count++ % DECISION_RING_TEMPLATES], head, format, arguments);
        va_end(arguments);
}

static size_t kept(uint64_t count, size_t places)
{
        return (size_t)MIN_OF(count, (uint64_t)places);
}

size_t decision_ring_length(const struct decision_ring *ring)
{
        return kept(ring->count, DECISION_RING_SIZE) + kept(ring->template_count, DECISION_RING_TEMPLATES);
}

/* One kind of decisions, read from the newest on. */
struct reader {
        const struct decision *items;
        size_t places;
        uint64_t next; /* the next to be read is before it */
        size_t left;
};

static const struct decision *look(const struct reader *reader)
{
        return reader->left > 0 ? &reader->items[(reader->next - 1) % reader->places] : NULL;
}

static const struct decision *take(struct reader *reader)
{
        const struct decision *decision = look(reader);

        reader->next--;
        reader->left--;
        return decision;
}

const struct decision *decision_ring_at(const struct decision_ring *ring, size_t age)
{
        struct reader pool = {ring->items, DECISION_RING_SIZE, ring->count, kept(ring->count, DECISION_RING_SIZE)};
        struct reader templates = {ring->of_templates, DECISION_RING_TEMPLATES, ring->template_count,
                                   kept(ring->template_count, DECISION_RING_TEMPLATES)};
        const struct decision *found = NULL;

        if (age >= decision_ring_length(ring))
                return NULL;
        for (size_t i = 0; i <= age; i++) {
                const struct decision *one = look(&pool), *other = look(&templates);
                found = take(!other || (one && one->number > other->number) ? &pool : &templates);
        }
        return found;
}
