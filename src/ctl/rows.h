/* The workers of a status, and the templates that they are made of, as rows that can be sorted, with the CPU usage of
 * each since the last status. Pure; owned by ctl/top. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ctl_sort {
        CTL_SORT_STATE,
        CTL_SORT_REQUESTS,
        CTL_SORT_CPU,
        CTL_SORT_MEMORY,
        CTL_SORT_SINCE,
        CTL_SORT_PID,
        CTL_SORT_COUNT
};

struct ctl_row {
        const json_t *pool, *worker; /* in the document, which must live as long as the row */
        bool is_template;            /* `worker` is one */
        uint64_t pid, cpu_ms;
        double share; /* of one processor, in percent */
};

struct ctl_rows {
        struct ctl_row *items;
        size_t count;
        uint64_t time_ms; /* when the document arrived */
};

/* Make the rows of a document. `before` (NULL: none) are the rows of the document before. 0 or -ENOMEM. */
int ctl_rows_new(const json_t *document, uint64_t now_ms, const struct ctl_rows *before, struct ctl_rows *ret);

/* Sort; the largest value comes first, unless `reverse`. Equal rows are in the order of their pids. */
void ctl_rows_sort(struct ctl_rows *rows, enum ctl_sort by, bool reverse);

/* The key on the keyboard that chooses a sort order, and the name of the order. */
char ctl_sort_key(enum ctl_sort sort);
const char *ctl_sort_name(enum ctl_sort sort);

void ctl_rows_clear(struct ctl_rows *rows);
