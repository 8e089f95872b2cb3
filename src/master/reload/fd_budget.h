/* Raises the limit of open files to what the master needs for a configuration; a participant of a reload. If the limit
 * cannot be raised that far, a problem states the numbers. A raised limit is not lowered again. */
#pragma once

#include <stdint.h>

#include "master/reload/participant.h"

struct pool_table;

/* The owner of the participant. */
struct fd_budget {
        const struct pool_table *pools; /* the present pools, which may stay for a while; borrowed */
        uint64_t own;                   /* descriptors that the master needs apart from its pools */
};

extern const struct reload_participant fd_budget_participant;

/* Raise the limit for the present pools and `config`. 0 or -errno, with a problem added. */
int fd_budget_raise(const struct fd_budget *budget, const struct config *config, struct problem_list *problems);
