/* Workloads for the replay: when requests come and how long they take. Generated ones are the same on every machine. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct request {
        uint64_t at_us, duration_us;
};

struct workload {
        const char *name;
        struct request *requests; /* by time */
        size_t count;
};

/* The generated ones. NULL ends the list. */
struct workload_kind {
        const char *name;
        const char *what; /* in words, for the table */
        void (*make)(struct workload *load);
};
extern const struct workload_kind workload_kinds[];

/* Make a generated workload. */
void workload_make(struct workload *load, const struct workload_kind *kind);

/* Read a trace: lines of `date time,input tokens,generated tokens` behind a title line. As service times: 10 ms for a
 * generated token and 0.2 ms for an input token. 0 or -errno. */
int workload_read(struct workload *load, const char *name, const char *path);

/* Read requests that were served: lines of when they came and how long they took, in microseconds. 0 or -errno. */
int workload_read_served(struct workload *load, const char *name, const char *path);

void workload_free(struct workload *load);
