/* The touch stop (preload/touch) for a worker's service: its own descriptors, its environment, and the copies that are
 * made at the stop. */
#pragma once

/* In the constructor, after service_prepare(): watch the program from now on, and make copies when it touches its
 * connection. Ends the process if that cannot be. */
void snapshot_begin(void);
