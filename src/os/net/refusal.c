#include "os/net/refusal.h"

#include <sys/socket.h>
#include <unistd.h>

/* More than the request of nearly every client, and nobody keeps a worker busy with it. */
#define BITE_BYTES 16384
#define BITES 8

void refusal_close(int connection)
{
        char bite[BITE_BYTES];

        /* The end first: what arrives after the last look resets the connection, but its client has the end by then. */
        shutdown(connection, SHUT_WR);
        for (int i = 0; i < BITES && recv(connection, bite, sizeof(bite), MSG_DONTWAIT) > 0; i++)
                ;
        close(connection);
}
