/* The descriptors the master needs for a configuration, and the limit raised to that: a participant of a reload. It is
 * a problem, which has the numbers, if the limit cannot be raised that far. A limit that was raised stays. */
#pragma once

#include <stdint.h>

#include "master/reload/participant.h"

struct pool_table;

/* The owner. */
struct fd_budget {
        const struct pool_table *pools; /* those that are there now and may stay for a while; borrowed */
        uint64_t own;                   /* descriptors the master needs beside its pools */
};

extern const struct reload_participant fd_budget_participant;

/* Raise the limit for the running pools with the limits of `config`. 0 or -errno, with a problem. */
int fd_budget_raise(const struct fd_budget *budget, const struct config *config, struct problem_list *problems);
