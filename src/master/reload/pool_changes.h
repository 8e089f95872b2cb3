/* Changes the pools and their listeners; participants of a reload.
 *
 * Phase one opens listeners, creates new pools and reserves the memory that phase two needs. Phase two carries out the
 * verb of each pool and stores the listeners in service with the service manager. What must stay true: phase two
 * allocates nothing that it depends on. */
#pragma once

#include "master/reload/listener_opening.h"
#include "master/reload/participant.h"

struct pool_preparation;
struct pool_runtime;

/* The owner of the participant; all but `prepared` is borrowed. */
struct pool_changes {
        struct listener_sources sources;
        const struct pool_runtime *runtime;
        struct pool_preparation *prepared; /* one per step of the plan */
        bool is_sharing;                   /* a listener that was opened shares its port with one that will drain */
};

extern const struct reload_participant pools_participant;

/* Reports sockets of socket units that no pool listens on. The owner is a struct fd_store. */
extern const struct reload_participant passed_sockets_participant;
