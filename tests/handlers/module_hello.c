/* The module of the least that ab(1) accepts: as handler_hello, in the worker. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "prefork/module.h"

static int serve(void *state, const struct prefork_request *request)
{
        static const char reply[] = "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
        char bytes[4096];
        size_t length = 0;

        (void)state;
        while (length < sizeof(bytes) - 1) {
                ssize_t got = read(request->connection, bytes + length, sizeof(bytes) - 1 - length);
                if (got <= 0)
                        break;
                length += (size_t)got;
                bytes[length] = '\0';
                if (strstr(bytes, "\r\n\r\n") || strstr(bytes, "\n\n"))
                        break;
        }
        return write(request->connection, reply, sizeof(reply) - 1) == (ssize_t)sizeof(reply) - 1 ? 0 : -EIO;
}

PREFORK_MODULE_EXPORT const struct prefork_module prefork_module = {
        PREFORK_MODULE_HEADER, .flags = PREFORK_MODULE_THREAD_SAFE, .name = "hello", .serve = serve};
