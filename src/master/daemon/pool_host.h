/* The daemon's side of its pools: what they need of it, and what it does when one of them has changed or closed. */
#pragma once

struct daemon;

/* Fill in daemon->pool_runtime; the loop and the reaper must be there. */
void pool_host_open(struct daemon *daemon);
