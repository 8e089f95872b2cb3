/* The environment variables of socket activation, in three lines: LISTEN_PID ("" is ours), LISTEN_FDS, LISTEN_FDNAMES.
 * Whatever they say, they are gone afterwards, and only what was passed is taken. */
#include <unistd.h>

#include "fuzz.h"
#include "os/activation.h"

static void set(const char *name, const char *value)
{
        if (value)
                setenv(name, value, 1);
        else
                unsetenv(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct activation activation = {0};
        char *string = fuzz_string(data, size), *rest = string, pid[16];

        const char *process = strsep(&rest, "\n"), *count = strsep(&rest, "\n"), *names = strsep(&rest, "\n");
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        set("LISTEN_PID", process && process[0] ? process : pid);
        set("LISTEN_FDS", count);
        set("LISTEN_FDNAMES", names);
        int r = activation_receive(&activation);
        MUST(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));
        for (size_t i = 0; r == 0 && i < activation.count; i++) {
                MUST(activation.sockets[i].name && activation.sockets[i].fd >= 3);
                activation.sockets[i].fd = -1; /* they are the fuzzer's own */
        }
        activation_clear(&activation);
        free(string);
        return 0;
}
