/* What waits in a UDP socket, for which there is no socket option that is always up to date. Called by os/net/listener.
 */
#pragma once

#include <stdint.h>

/* The bytes that the datagrams in its queue take up, as the kernel lists them in /proc/net/udp and /proc/net/udp6. 0;
 * -ENOENT: it is not listed; -errno: there is no such list. */
int udp_queue_bytes(int fd, uint64_t *ret);
