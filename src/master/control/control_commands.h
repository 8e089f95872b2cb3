/* The commands of the control protocol, carried out. Called by master/control_client with a whole line. */
#pragma once

#include <stddef.h>

struct control_client;

/* Parse the request of `length` bytes at client->request (ended by NUL), do what it says, and answer, now or when a reload
 * is done. The client may be gone when this returns. */
void control_execute(struct control_client *client, size_t length);
