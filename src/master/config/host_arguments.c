#include "master/config/host_arguments.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/words.h"

/* Report words that execve(2) does not take: it would fail for every connection. */
static void check_lengths(const struct host *host, enum pool_option option, const struct words *words)
{
        size_t most = 32 * (size_t)sysconf(_SC_PAGESIZE) - 1; /* the kernel's MAX_ARG_STRLEN, without the NUL */

        for (size_t i = 0; i < words->count; i++) {
                size_t length = strlen(words->list[i]);
                if (length > most)
                        host_report(host, false, option,
                                    "word %zu has %zu bytes; the kernel takes at most %zu in an argument or variable",
                                    i + 1, length, most);
        }
}

static size_t total_bytes(const struct words *words)
{
        size_t total = 0;

        for (size_t i = 0; i < words->count; i++)
                total += strlen(words->list[i]) + 1 + sizeof(char *);
        return total;
}

/* Report words that execve(2) does not take together, as execve(2) describes it. */
static void check_total(const struct host *host, const struct words *variables)
{
        struct rlimit stack = {.rlim_cur = RLIM_INFINITY};
        size_t total = total_bytes(&host->pool->handler) + total_bytes(variables) +
                       (host->pool->argv0 ? strlen(host->pool->argv0) : 0);

        const struct limit_value *own = &host->pool->limits[LIMIT_STACK];

        if (own->set)
                stack.rlim_cur = own->soft;
        else
                getrlimit(RLIMIT_STACK, &stack); /* or it is as if it were unlimited */
        size_t most = MAX_OF(MIN_OF((size_t)stack.rlim_cur / 4, (size_t)6 << 20), (size_t)131072);
        if (total > most)
                host_report(
                        host, false, POOL_ENVIRONMENT,
                        "the handler's arguments and these variables have %zu bytes with their pointers; the kernel "
                        "takes at "
                        "most %zu, a quarter of the limit on the stack (limit_stack, or ulimit -s)",
                        total, most);
}

void host_arguments_check(const struct host *host)
{
        const struct words variables = secret_words_view(&host->pool->environment);
        char *argv0 = host->pool->argv0;

        check_lengths(host, POOL_HANDLER, &host->pool->handler);
        check_lengths(host, POOL_ARGV0, &(struct words){.list = &argv0, .count = argv0 ? 1 : 0});
        check_lengths(host, POOL_ENVIRONMENT, &variables);
        check_total(host, &variables);
}

/* The kernel gives an interpreter the path of its script, whatever the script was executed as. */
int host_arguments_check_script(const struct host *host, const char *path)
{
        _cleanup_(freep) char *interpreter = NULL, *argument = NULL;

        if (!host->pool->argv0)
                return 0;
        int r = executable_interpreter(&host->place, path, &interpreter, &argument);
        if (r == 0 && interpreter)
                host_report(host, true, POOL_ARGV0, "no effect: %s is a script, and gets its path", path);
        return r;
}
