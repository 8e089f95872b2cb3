/* Admission: everything between accept and the handler, the same for all runtimes that the accept loop serves.
 *
 * Called by worker/accept_loop; lib/gate decides. (Copies of a program that is loaded once accept in the preload
 * object: preload/service_wait asks the same gate.) What must stay true: what is refused costs no handler and no
 * process, its client sees an end and no reset, and at most one record in a while says so. */
#pragma once

#include <stdbool.h>

#include "lib/gate.h"
#include "logic/config/config.h"

/* What the pool asks of its clients; valid as long as the configuration. */
struct gate admission_gate(const struct pool_config *pool);

/* Admit a connection, or the datagram (-1), as gate_decide(). Nobody lingers then. False: it was
 * refused, counted, logged and closed, or lingers. */
bool admission_admits(const struct gate *gate, struct request_desk *desk, struct client *client, int connection,
                      struct lingering *lingering);
