#include "os/terminal.h"

#include <fcntl.h>

#include "base/cleanup.h"

bool terminal_is_there(void)
{
        _cleanup_(fd_closep) int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

        return fd >= 0;
}
