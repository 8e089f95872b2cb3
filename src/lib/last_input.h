/* lingering_close: the end of a connection whose handler may have left input unread.
 *
 * close(2) resets such a connection, and its client loses the end of the answer. So the worker ends its side, and reads
 * and drops what the client still sends, until the client has ended or the time is over. Called by all who hold
 * connections, in a request, before it ends. What must stay true: it takes no longer than it may, and not at all once
 * the master orders the end of the request. */
#pragma once

#include <stdint.h>

/* Do so. The connection is still the caller's to close. */
void last_input_drop(int connection, uint64_t most_ms);

/* Close a connection whose handler, a process of its own, has ended. It is the end of that process by which the
 * connection would have been closed, and the kernel does not wait then, whatever the handler has asked for (SO_LINGER).
 */
void last_input_close(int connection);
