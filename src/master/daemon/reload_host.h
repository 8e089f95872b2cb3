/* The daemon's side of reloads: who takes part in one, and what is said and done when one has come to its end. */
#pragma once

struct daemon;

/* Make daemon->reloads; everything that takes part must be there. 0 or -ENOMEM. */
int reload_host_open(struct daemon *daemon);
