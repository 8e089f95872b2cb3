/* The daemon's side of its pools: what they need from it (struct pool_runtime), and the reaction when a pool has
 * changed or closed. */
#pragma once

struct daemon;

/* Fill in daemon->pool_runtime. The loop and the reaper must exist. */
void pool_host_open(struct daemon *daemon);
