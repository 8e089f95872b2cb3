#include "lib/unwanted_rights.h"

#include <errno.h>

#include "base/cleanup.h"
#include "lib/sys.h"

#define BITE_BYTES 4096

/* Until nobody has the other end of the pipe: by then the connection is this process's alone. */
static void end_with_it(void *context)
{
        const int *pipe_fds = context;
        char byte;

        sys_close(pipe_fds[1]);
        while (sys_read(pipe_fds[0], &byte, sizeof(byte)) == -EINTR)
                ;
        sys_exit(0);
}

static void close_elsewhere(int connection)
{
        _Alignas(16) char stack[SYS_COPY_STACK];
        int pipe_fds[2] = {-1, -1};

        if (sys_pipe(pipe_fds) < 0)
                return;
        pid_t pid = sys_start_copy(end_with_it, pipe_fds, stack);
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
        long r;

        do
                r = unwanted_rights_receive(connection, bite, sizeof(bite));
        while (r > 0);
        return r == -EPROTO;
}

long unwanted_rights_receive(int connection, void *data, size_t size)
{
        long length = sys_peek_harmless_now(connection, data, size);

        return length > 0 ? sys_receive_now(connection, data, (size_t)length) : length;
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
