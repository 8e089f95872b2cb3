#include "worker/room.h"

#include <errno.h>
#include <poll.h>

#include "os/process/spawn.h"

/* How often a new worker looks for room for a handler's process, and the pause in between. */
#define ROOM_LOOKS 5
#define ROOM_PAUSE_MS 20

int room_wait(void)
{
        int r = spawn_try();

        for (int i = 0; i < ROOM_LOOKS && r == -EAGAIN; i++) {
                poll(NULL, 0, ROOM_PAUSE_MS);
                r = spawn_try();
        }
        return r;
}
