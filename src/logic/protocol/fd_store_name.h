/* Names in the service manager's descriptor store (FDNAME= of sd_notify(3)): at most 255 printable ASCII characters, no
 * colon. Pure.
 *
 * The next preforkd finds a stored socket by its address. The name serves to remove the socket from the store and to
 * tell it from sockets of socket units; it depends on the address alone. */
#pragma once

#include <stdbool.h>

#define FD_STORE_NAME_MAX 256 /* NUL included */

/* The name for the listener `address`, as address_format() writes it: "preforkd/127.0.0.1%3A80". Different addresses
 * get different names. */
void fd_store_name_format(const char *address, char name[static FD_STORE_NAME_MAX]);

/* True for names that fd_store_name_format() makes. */
bool fd_store_name_is_ours(const char *name);
