/* Reads the PROXY header of a connection, and not one byte more: what follows is the handler's. Called by lib/gate.
 * Async-signal-safe; waits, at most for the time that it is given. */
#pragma once

#include <stdint.h>

#include "base/proxy_header.h"
#include "lib/slot.h"

/* Read it. PROXY_DONE with *ret filled in, or why there is none; then what was read is lost. If it must be waited for,
 * `slot` leaves the idle set: the worker has a connection, which is no request yet. */
enum proxy_result proxy_reader_read(int connection, uint64_t timeout_ms, struct slot *slot, struct proxy_header *ret);
