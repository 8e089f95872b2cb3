/* A worker of preforkd that accepts its connections itself, with libprefork: it answers each with a line.
 *
 *     cc -o hello hello.c $(pkg-config --cflags --libs libprefork)
 *
 *     [hello]
 *     listen = 127.0.0.1:7000
 *     handler_type = listener
 *     accounting = api
 *     handler = /usr/local/bin/hello
 *     user = nobody */
#include <errno.h>
#include <prefork/worker.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What takes long is done once, before the first connection. */
static int prepare(char *greeting, size_t size)
{
        return snprintf(greeting, size, "hello from %d\n", (int)getpid());
}

int main(void)
{
        struct prefork_worker *worker;
        char greeting[64];

        int length = prepare(greeting, sizeof(greeting));
        int r = prefork_attach(&worker);
        if (r < 0) {
                fprintf(stderr, "hello: not started by preforkd: %s\n", strerror(-r));
                return 1;
        }
        for (;;) {
                int fd = prefork_accept(worker, NULL, NULL);
                if (fd == -EINTR)
                        continue;
                if (fd < 0)
                        return fd == -ESHUTDOWN ? 0 : 1;
                if (send(fd, greeting, (size_t)length, MSG_NOSIGNAL) < 0)
                        fprintf(stderr, "hello: %s\n", strerror(errno));
                close(fd);
                prefork_done(worker);
        }
}
