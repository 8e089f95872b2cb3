/* The variables of the environment that say who the client is, as worker/handler_environment sets them for a program
 * that is executed, without libc; preforkd-handler(7) defines them. Called by preload/service.
 *
 * What must stay true: the memory is the object's own, made once; a copy of the program finds the variables behind
 * those that the program had. */
#pragma once

#include "lib/client.h"

/* Make room for them behind the variables of `environment`, of which this takes the pointers. 0 or -errno of mmap(2).
 */
int peer_variables_begin(char *const *environment);

/* Set them for a connection. Returns the environment. */
char **peer_variables_set(const struct client *client, int connection);
