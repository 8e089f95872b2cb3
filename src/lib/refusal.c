#include "lib/refusal.h"

#include "lib/sys.h"
#include "lib/unwanted_rights.h"

/* More than the request of nearly every client, and nobody keeps a worker busy with it. */
#define BITE_BYTES 16384
#define BITES 8

void refusal_close(int connection)
{
        char bite[BITE_BYTES];

        /* The end first: what arrives after the last look resets the connection, but its client has the end by then. */
        sys_shutdown(connection, SHUT_WR);
        for (int i = 0; i < BITES && unwanted_rights_receive(connection, bite, sizeof(bite)) > 0; i++)
                ;
        unwanted_rights_close(connection);
}
