#include "os/net/listener_mark.h"

#include <sys/socket.h>

#include "os/net/udp_queue.h"

/* Enough to tell one datagram from the next. */
#define FIRST_BYTES 512

/* A number that tells the datagram that waits first from others, by its beginning and its sender; 0: none waits. It is
 * only looked at, and stays. */
static uint64_t hash_of_first(int fd)
{
        struct {
                struct address sender;
                char bytes[FIRST_BYTES];
        } first = {0};
        socklen_t length = sizeof(first.sender.un);
        uint64_t hash = 14695981039346656037U; /* FNV-1a */

        ssize_t got =
                recvfrom(fd, first.bytes, sizeof(first.bytes), MSG_PEEK | MSG_DONTWAIT, &first.sender.any, &length);
        if (got < 0)
                return 0;
        for (size_t i = 0; i < sizeof(first); i++)
                hash = (hash ^ ((const unsigned char *)&first)[i]) * 1099511628211U;
        return hash | 1;
}

void listener_mark_add(struct listener_mark *mark, const struct listener *listener)
{
        uint64_t bytes = 0;
        uint32_t queued = 0;

        if (listener->address.datagram)
                mark->first += hash_of_first(listener->fd);
        if (listener->address.datagram && listener->address.any.sa_family != AF_UNIX &&
            udp_queue_bytes(listener->fd, &bytes) == 0)
                mark->waiting += bytes;
        else if (listener_queue_length(listener, &queued) == 0)
                mark->waiting += queued;
}
