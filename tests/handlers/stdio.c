/* As handler_hello, by stdio: what most programs do, with its buffers, its locks and its end. For the benchmarks. */
#include <stdio.h>

int main(void)
{
        static const char reply[] = "hello\n";
        char line[1024];

        while (fgets(line, sizeof(line), stdin))
                if (line[0] == '\n' || (line[0] == '\r' && line[1] == '\n'))
                        break;
        printf("HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s", sizeof(reply) - 1, reply);
        return 0;
}
