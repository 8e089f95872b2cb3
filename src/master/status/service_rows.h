/* Converts a running pool to the row of logic/status/service_state, for readiness. Called by daemon/readiness_host. */
#pragma once

#include "logic/status/service_state.h"

struct pool;

/* The pool as it is now; the name is borrowed from it. */
struct service_pool service_row_of(const struct pool *pool);
