/* The configuration as somebody wants it anew: read by a child, taken up or refused, and whoever asked is told.
 *
 * One is read at a time; what is asked for meanwhile is read again afterwards, for it may be newer. */
#pragma once

#include "master/daemon/daemon.h"

/* Read the first one; the master serves, or ends, when it is there. 0 or -errno. */
int reload_queue_first(struct daemon *daemon);

/* Read the configuration and take it up. When it is done, or not, the log and control clients that wait are told. */
void reload_queue_reload(struct daemon *daemon);

/* Read the configuration and tell control clients what a reload would do; nothing changes. */
void reload_queue_try(struct daemon *daemon);

/* Do what was asked for while a configuration was being read. */
void reload_queue_again(struct daemon *daemon);
