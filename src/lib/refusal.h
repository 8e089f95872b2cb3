/* The end of a connection that is refused.
 *
 * Called by all who accept, for connections beyond max_connections_per_source, and by the refuser of a full pool. */
#pragma once

/* Close a connection unserved. Its client sees the end, also if it has sent a request already: close(2) alone would
 * reset a connection with unread input, and the client would report a fault of the network. Reads and drops some of
 * that input. Never waits. */
void refusal_close(int connection);
