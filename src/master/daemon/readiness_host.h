/* The daemon's side of readiness: describes the pools, and ends the daemon if the start has failed. */
#pragma once

struct daemon;

/* Create daemon->readiness. 0 or -errno. */
int readiness_host_open(struct daemon *daemon);
