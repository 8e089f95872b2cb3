#include "master/upgrade/way_back.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/process/image.h"

#define ARGUMENTS_MAX 512 /* more than anybody writes; without one there is no way back */

/* How often a program is executed that cannot take over: the next one, and the previous one, behind which there is
 * nothing. What is short may come back, and workers serve meanwhile, so each attempt waits twice as long as the one
 * before: 6.3 s in all, which is less than a watchdog's patience. */
#define ATTEMPTS_NEXT 2
#define ATTEMPTS_PREVIOUS 7
#define PAUSE_MS 100

int way_back_open(const char *own_path, char **ret, int *ret_fd)
{
        int fd = image_open();

        if (fd < 0 && fd != -ENOENT && fd != -EACCES) /* without /proc there is no way back; a shortage ends */
                return fd;
        if (asprintf(ret, TAKE_OVER_WAY_BACK_OPTION "1:%d:%s", fd < 0 ? INT_MAX : fd, own_path ? own_path : "") < 0) {
                *ret = NULL;
                fd_closep(&fd);
                return -ENOMEM;
        }
        *ret_fd = fd;
        return 0;
}

/* `arguments` of this program with another name and other options of ours. False: they are too many. */
static bool make_arguments(char *const *argv, const char *name, const char *take_over, const char *way_back,
                           const char **ret)
{
        struct take_over ignored;
        size_t count = 0;

        while (argv[count])
                count++;
        int ours = take_over_parse((int)count - 1, &argv[1], &ignored);
        if (ours < 0 || count + 3 > ARGUMENTS_MAX)
                return false;
        *ret++ = name;
        *ret++ = take_over;
        *ret++ = way_back;
        for (size_t i = 1 + (size_t)ours; i <= count; i++)
                *ret++ = argv[i];
        return true;
}

static void wait_before(unsigned attempt)
{
        const long pause_ms = PAUSE_MS << MIN_OF(attempt - 1, 10U);
        const struct timespec pause = {.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000};

        nanosleep(&pause, NULL);
}

/* No memory is allocated here: the lack of it may be what has failed. */
void way_back_go(const struct take_over *take_over, const char *path, char *const *argv)
{
        char document[32], option[PATH_MAX + 64];
        const char *arguments[ARGUMENTS_MAX];
        const char *previous_path = take_over->previous_path ? take_over->previous_path : "";
        unsigned attempts = take_over->previous_fd >= 0 ? ATTEMPTS_NEXT : ATTEMPTS_PREVIOUS;

        if (!take_over->wanted || take_over->is_preflight)
                return;
        snprintf(document, sizeof(document), TAKE_OVER_OPTION "%d", take_over->fd);
        if (take_over->attempt < attempts) {
                wait_before(take_over->attempt);
                snprintf(option, sizeof(option), TAKE_OVER_WAY_BACK_OPTION "%u:%d:%s", take_over->attempt + 1,
                         take_over->previous_fd, path);
                if (make_arguments(argv, path ? path : argv[0], document, option, arguments))
                        image_execute_again((char *const *)(uintptr_t)arguments);
        }
        snprintf(option, sizeof(option), TAKE_OVER_WAY_BACK_OPTION "1:-1:");
        if (take_over->previous_fd >= 0 && make_arguments(argv, previous_path, document, option, arguments))
                image_execute_open(take_over->previous_fd, (char *const *)(uintptr_t)arguments);
}
