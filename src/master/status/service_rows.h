/* A pool as the service manager's side sees it: the row of logic/status/service_state that a running pool makes. */
#pragma once

#include "logic/status/service_state.h"

struct pool;

/* As the pool is now; the name is borrowed. */
struct service_pool service_row_of(const struct pool *pool);
