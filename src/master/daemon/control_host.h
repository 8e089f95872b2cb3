/* The daemon's side of the control socket: the operations that its commands order. */
#pragma once

struct daemon;

/* Make daemon->control. 0 or -ENOMEM. */
int control_host_open(struct daemon *daemon);
