/* A handler of the least that ab(1) accepts: reads a request up to its blank line, answers "hello", ends.
 *
 * The benchmarks compare servers with it, so it does nothing that could be charged to them: no stdio, no allocation. */
#include <string.h>
#include <unistd.h>

int main(void)
{
        static const char reply[] = "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
        char request[4096];
        size_t length = 0;

        while (length < sizeof(request) - 1) {
                ssize_t got = read(STDIN_FILENO, request + length, sizeof(request) - 1 - length);
                if (got <= 0)
                        break;
                length += (size_t)got;
                request[length] = '\0';
                if (strstr(request, "\r\n\r\n") || strstr(request, "\n\n"))
                        break;
        }
        return write(STDOUT_FILENO, reply, sizeof(reply) - 1) == (ssize_t)sizeof(reply) - 1 ? 0 : 1;
}
