/* What a reload makes of the pools and their listeners, as participants.
 *
 * Phase one opens listeners, makes new pools and reserves every piece of memory that phase two moves things into. Phase
 * two carries out the verb of each pool. Whatever is in service afterwards is stored with the service manager. */
#pragma once

#include "master/reload/participant.h"

struct fd_store;
struct pool_preparation;
struct pool_runtime;
struct pool_table;

/* The owner; all but `prepared` is borrowed. */
struct pool_changes {
        struct pool_table *pools;
        const struct pool_runtime *runtime;
        struct fd_store *store;
        struct pool_preparation *prepared; /* one a step of the plan */
};

extern const struct reload_participant pools_participant;

/* Sockets of socket units that no pool listens on. The owner is a struct fd_store. */
extern const struct reload_participant passed_sockets_participant;
