#include "logic/config/variables.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/words.h"

/* With NOTIFY_SOCKET a handler could notify the service manager in our name, and with LISTEN_FDS it would take its
 * connection for a listening socket. */
static const char *const withheld[] = {
        "NOTIFY_SOCKET",
        "LISTEN_PID",
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
        "LISTEN_PIDFDID",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
        "JOURNAL_STREAM",
        "LOG_NAMESPACE",
        "INVOCATION_ID",
        "CREDENTIALS_DIRECTORY",
        "RUNTIME_DIRECTORY",
        "STATE_DIRECTORY",
        "CACHE_DIRECTORY",
        "LOGS_DIRECTORY",
        "CONFIGURATION_DIRECTORY",
        "SYSTEMD_EXEC_PID",
        "MAINPID",
        "MANAGERPID",
        "SERVICE_RESULT",
        "EXIT_CODE",
        "EXIT_STATUS",
        "MONITOR_SERVICE_RESULT",
        "MEMORY_PRESSURE_WATCH",
        "MEMORY_PRESSURE_WRITE",
        "FDSTORE",
        "PREFORKD_PRELOAD",
        "PREFORKD_STATUS",
};

size_t variables_name_length(const char *string)
{
        size_t length = 0;

        while (isalnum((unsigned char)string[length]) || string[length] == '_')
                length++;
        return isdigit((unsigned char)string[0]) ? 0 : length;
}

bool variables_same_name(const char *a, const char *b)
{
        size_t length = strcspn(a, "=");

        return length == strcspn(b, "=") && strncmp(a, b, length) == 0;
}

bool variables_are_withheld(const char *variable)
{
        for (size_t i = 0; i < ELEMENTS(withheld); i++)
                if (variables_same_name(variable, withheld[i]))
                        return true;
        return false;
}

struct candidate {
        const char *variable;
        size_t index;
        bool is_last; /* of its name */
};

static int compare_names(const char *a, const char *b)
{
        size_t length_a = strcspn(a, "="), length_b = strcspn(b, "=");
        int order = memcmp(a, b, MIN_OF(length_a, length_b));

        return order != 0 ? order : (length_a > length_b) - (length_a < length_b);
}

static int compare_indices(const void *a, const void *b)
{
        const struct candidate *left = a, *right = b;

        return (left->index > right->index) - (left->index < right->index);
}

static int compare(const void *a, const void *b)
{
        const struct candidate *left = a, *right = b;
        int order = compare_names(left->variable, right->variable);

        return order != 0 ? order : compare_indices(a, b);
}

/* Environments can be large: they are sorted, not searched. */
int variables_keep_last(const struct words *all, struct words *ret)
{
        _cleanup_(freep) struct candidate *candidates = calloc(all->count + 1, sizeof(*candidates));
        size_t count = all->count;
        int r = 0;

        if (!candidates)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++)
                candidates[i] = (struct candidate){.variable = all->list[i], .index = i};
        qsort(candidates, count, sizeof(*candidates), compare);
        for (size_t i = 0; i < count; i++)
                candidates[i].is_last =
                        i + 1 == count || compare_names(candidates[i].variable, candidates[i + 1].variable) != 0;
        qsort(candidates, count, sizeof(*candidates), compare_indices);
        for (size_t i = 0; i < count && r == 0; i++)
                if (candidates[i].is_last)
                        r = words_add(ret, candidates[i].variable);
        return r;
}
