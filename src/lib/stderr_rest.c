#include "lib/stderr_rest.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include "lib/sys.h"

#define POLL_MS 50
/* What a pipe holds: nobody has said more before the end. */
#define PIPE_BYTES (1 << 16)

void stderr_rest_read(int fd, pid_t pid, void (*feed)(void *context, const char *bytes, size_t length), void *context)
{
        long left = PIPE_BYTES, length;
        char buffer[1024];
        bool ended;

        do {
                struct pollfd poller = {.fd = fd, .events = POLLIN};
                ended = pid == 0 || sys_has_ended(pid);
                length = sys_poll(&poller, 1, ended ? 0 : POLL_MS) == 1 ? sys_read(fd, buffer, sizeof(buffer)) : 0;
                if (length > 0)
                        feed(context, buffer, (size_t)length);
                left -= ended ? length : 0;
        } while (!ended || (length > 0 && left > 0));
}
