/* The daemon's side of reloads: lists the participants, and reports the end of a reload to the log, the service manager
 * and the control clients. */
#pragma once

struct daemon;

/* Create daemon->reloads. All participants must exist. 0 or -ENOMEM. */
int reload_host_open(struct daemon *daemon);
