/* The daemon's side of the control socket: the host operations of the control commands. */
#pragma once

struct daemon;

/* Create daemon->control. 0 or -ENOMEM. */
int control_host_open(struct daemon *daemon);
