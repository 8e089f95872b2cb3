/* The daemon's side of its readiness: the pools as the service manager's side sees them, and the end of a start that
 * has failed. */
#pragma once

struct daemon;

/* Make daemon->readiness. 0 or -errno. */
int readiness_host_open(struct daemon *daemon);
