#include "lib/unwanted_rights.h"

#include <errno.h>

#include "base/cleanup.h"
#include "lib/sys.h"

#define BITE_BYTES 4096

/* Until nobody has the other end of the pipe: by then the connection is this process's alone. */
static _Noreturn void end_with_it(int pipe_fd)
{
        char byte;

        while (sys_read(pipe_fd, &byte, sizeof(byte)) == -EINTR)
                ;
        sys_exit(0);
}

static void close_elsewhere(int connection)
{
        int pipe_fds[2] = {-1, -1};

        if (sys_pipe(pipe_fds) < 0)
                return;
        pid_t pid = sys_copy_process();
        if (pid == 0) {
                sys_close(pipe_fds[1]);
                end_with_it(pipe_fds[0]);
        }
        if (pid > 0)
                sys_close(connection);
        sys_close(pipe_fds[0]);
        sys_close(pipe_fds[1]);
        if (pid > 0) /* an orphan might be taken for a stranger, and be killed while it is needed */
                sys_await_copy(pid);
}

/* Read what is there. True: something has descriptors beside it. */
static bool drain(int connection)
{
        char bite[BITE_BYTES];

        do {
                if (unwanted_rights_are_next(connection))
                        return true;
        } while (sys_receive_now(connection, bite, sizeof(bite)) > 0);
        return false;
}

bool unwanted_rights_are_next(int connection)
{
        return sys_rights_are_next(connection);
}

void unwanted_rights_close(int connection)
{
        int domain = 0;

        if (sys_socket_option(connection, SO_DOMAIN, &domain) < 0 || domain != AF_UNIX) {
                sys_close(connection);
                return;
        }
        sys_shutdown(connection, SHUT_RDWR); /* nobody can send any more */
        if (drain(connection))
                close_elsewhere(connection);
        else
                sys_close(connection);
}
