#include "master/pool/template_launch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "logic/protocol/worker_plan.h"

static_assert(TEMPLATE_FD_COUNT == 6, "as many descriptors are none at first");

static void free_launch(struct template_launch *launch)
{
        for (size_t i = 0; i < ELEMENTS(launch->fds); i++)
                fd_closep(&launch->fds[i]);
        free(launch);
}

int template_launch_add(struct template_launch **list, struct worker *worker, const struct worker_plan *plan,
                        uint32_t number)
{
        struct template_launch *launch = calloc(1, sizeof(*launch));

        if (!launch)
                return -ENOMEM;
        *launch = (struct template_launch){.worker = worker, .number = number, .fds = {-1, -1, -1, -1, -1, -1}};
        launch->fds[TEMPLATE_FD_LOG] = fcntl(plan->log_write_fd, F_DUPFD_CLOEXEC, 0);
        if (plan->log_socket_fd >= 0)
                launch->fds[TEMPLATE_FD_LOG_SOCKET] = fcntl(plan->log_socket_fd, F_DUPFD_CLOEXEC, 0);
        if (launch->fds[TEMPLATE_FD_LOG] < 0) {
                int r = -errno;
                free_launch(launch);
                return r;
        }
        while (*list)
                list = &(*list)->next;
        *list = launch;
        return 0;
}

void template_launch_remove(struct template_launch **list, struct template_launch *launch)
{
        while (*list != launch)
                list = &(*list)->next;
        *list = launch->next;
        free_launch(launch);
}

struct template_launch *template_launch_find(struct template_launch *list, const struct template *template,
                                             uint32_t number)
{
        while (list && (list->number != number || list->template != template))
                list = list->next;
        return list;
}
