#include "logic/status/sizing_advice.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/number.h"

static struct sizing_advice *last_of(struct sizing *to)
{
        return &to->items[to->count - 1];
}

void sizing_begin(struct sizing *to, const char *option, const char *present)
{
        assert(to->count < SIZING_MOST);
        struct sizing_advice *advice = &to->items[to->count++];
        *advice = (struct sizing_advice){.option = option, .verdict = SIZING_KEEP};
        snprintf(advice->present, sizeof(advice->present), "%s", present);
}

void sizing_begin_number(struct sizing *to, const char *option, uint64_t present)
{
        char text[32];

        snprintf(text, sizeof(text), "%" PRIu64, present);
        sizing_begin(to, option, text);
}

static void print_duration(uint64_t ms, char text[static 32])
{
        _cleanup_(text_clear) struct text exact = {0};

        text[0] = '\0';
        if (number_format_duration_ms(&exact, ms) == 0)
                snprintf(text, 32, "%s", text_string(&exact));
}

void sizing_begin_duration(struct sizing *to, const char *option, uint64_t present_ms)
{
        char text[32];

        print_duration(present_ms, text);
        sizing_begin(to, option, text);
}

void sizing_say(struct sizing *to, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        int r = text_appendv(&last_of(to)->why, format, arguments);
        va_end(arguments);
        to->r = to->r < 0 ? to->r : r;
}

void sizing_change(struct sizing *to, const char *value)
{
        struct sizing_advice *advice = last_of(to);

        advice->verdict = SIZING_CHANGE;
        snprintf(advice->value, sizeof(advice->value), "%s", value);
}

void sizing_change_number(struct sizing *to, uint64_t value)
{
        char text[32];

        snprintf(text, sizeof(text), "%" PRIu64, value);
        sizing_change(to, text);
}

void sizing_change_duration(struct sizing *to, uint64_t value_ms)
{
        char text[32];

        print_duration(value_ms, text);
        sizing_change(to, text);
}

void sizing_leave_open(struct sizing *to)
{
        last_of(to)->verdict = SIZING_UNKNOWN;
}

const char *sizing_tenths(uint64_t milli, char text[static 32])
{
        snprintf(text, 32, "%" PRIu64 ".%" PRIu64, (milli + 50) / 1000, (milli + 50) % 1000 / 100);
        return text;
}

const char *sizing_verdict_name(enum sizing_verdict verdict)
{
        static const char *const names[] = {
                [SIZING_KEEP] = "keep", [SIZING_CHANGE] = "change", [SIZING_UNKNOWN] = "unknown"};
        static_assert(ELEMENTS(names) == SIZING_VERDICT_COUNT, "a name for every enum sizing_verdict");

        return names[verdict];
}

void sizing_clear(struct sizing *sizing)
{
        for (size_t i = 0; i < sizing->count; i++)
                text_clear(&sizing->items[i].why);
        *sizing = (struct sizing){0};
}
