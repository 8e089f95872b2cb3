/* The lines of an exposition: families, samples, labels, in either format. Pure.
 *
 * Called by logic/status/metrics, which knows what there is to say. */
#pragma once

#include <stdint.h>

struct status;
struct status_pool;
struct text;

enum metrics_format { METRICS_TEXT, METRICS_OPENMETRICS };

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM, METRIC_STATE_SET, METRIC_INFO };

/* One family, as the manual describes it. */
struct metric_family {
        char name[80]; /* without the suffixes of its samples */
        enum metric_type type;
        const char *unit;   /* NULL: none */
        const char *labels; /* "pool, state"; NULL: none */
        const char *help;
};

/* "gauge", "counter" …, as OpenMetrics names it. */
const char *metric_type_name(enum metric_type type);

/* What a counter's sample is called besides its family: "_total"; "" for all others but info. */
const char *metric_type_suffix(enum metric_type type);

/* "text/plain; version=0.0.4; charset=utf-8" … */
const char *metrics_content_type(enum metrics_format format);

/* An exposition that is being written. */
struct exposition {
        const struct status *status;
        enum metrics_format format;
        struct text *text;
        const struct metric_family *family; /* the present one */
        int r;                              /* 0, or the first error, after which nothing is written */
};

/* TYPE, UNIT and HELP of the present family. The text format knows fewer types, and names a family as its samples. */
void exposition_begin_family(struct exposition *to);

/* `family_suffix{pool="…",label="value"} `; NULL: without that label. Then its number. */
void exposition_begin_sample(struct exposition *to, const char *suffix, const struct status_pool *pool,
                             const char *label, const char *value);
void exposition_end_number(struct exposition *to, uint64_t number);
void exposition_end_ms(struct exposition *to, uint64_t ms); /* in seconds */

/* Nothing comes after this. */
void exposition_end(struct exposition *to);
