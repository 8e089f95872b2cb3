/* Advice on the options of a pool, as it is put together: sentence by sentence. Pure.
 *
 * Called by logic/status/sizing and its parts; preforkctl reads the result. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum sizing_verdict {
        SIZING_KEEP,
        SIZING_CHANGE,
        SIZING_UNKNOWN, /* too little was observed */
        SIZING_VERDICT_COUNT
};

struct sizing_advice {
        const char *option;
        enum sizing_verdict verdict;
        char present[32], value[32]; /* as a file would write them; value: "" unless it is to be changed */
        struct text why;             /* a sentence or two, without the full stop */
};

#define SIZING_MOST 8

/* Zero-initialise. */
struct sizing {
        struct sizing_advice items[SIZING_MOST];
        size_t count;
        int r; /* -ENOMEM: some sentence is missing */
};

/* Begin an advice: the option with its present value. Then append to its `why` by sizing_say(). */
void sizing_begin(struct sizing *to, const char *option, const char *present);
void sizing_begin_number(struct sizing *to, const char *option, uint64_t present);
void sizing_begin_duration(struct sizing *to, const char *option, uint64_t present_ms);

void sizing_say(struct sizing *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What the advice that was begun last amounts to; without them it is SIZING_KEEP. */
void sizing_change(struct sizing *to, const char *value);
void sizing_change_number(struct sizing *to, uint64_t value);
void sizing_change_duration(struct sizing *to, uint64_t value_ms);
void sizing_leave_open(struct sizing *to);

/* "3.2", of thousandths. Returns `text`. */
const char *sizing_tenths(uint64_t milli, char text[static 32]);

/* "keep", "change", "unknown". */
const char *sizing_verdict_name(enum sizing_verdict verdict);

void sizing_clear(struct sizing *sizing);
