#include "preload/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "lib/door.h"
#include "lib/sys.h"
#include "preload/copies.h"
#include "preload/copies_rollback.h"
#include "preload/environment.h"
#include "preload/own_fds.h"
#include "preload/record.h"
#include "preload/service.h"
#include "preload/service_private.h"
#include "preload/touch/standstill.h"
#include "preload/touch/touch.h"

#define STDERR_FD 2

static unsigned next_fd(unsigned first)
{
        int *own[OWN_FDS_MAX];
        size_t count = service_list_own(own);
        unsigned next = UINT32_MAX;

        for (size_t i = 0; i < count; i++)
                if (*own[i] >= 0 && (unsigned)*own[i] >= first && (unsigned)*own[i] < next)
                        next = (unsigned)*own[i];
        return next;
}

static void make_way(int fd)
{
        int *own[OWN_FDS_MAX];
        size_t count = service_list_own(own);

        for (size_t i = 0; i < count; i++)
                if (*own[i] == fd && fd >= 0)
                        own_fds_move(own[i], fd + 1);
        record_set_targets(service.log_socket_fd, service.log_fd);
}

static void note(enum attach_variable variable, int fd)
{
        if (fd >= 0)
                service.attachment.values[variable] = (uint64_t)fd;
}

static void pass_on(bool keep)
{
        int *own[OWN_FDS_MAX];

        size_t count = service_list_own(own);
        for (size_t i = 0; i < count; i++)
                if (*own[i] >= 0)
                        SYS_3(__NR_fcntl, *own[i], F_SETFD, keep ? 0 : FD_CLOEXEC);
        note(ATTACH_LOG_FD, service.log_fd);
        note(ATTACH_TEMPLATE_FD, service.template_fd);
        note(ATTACH_ACCESS_FD, service.access_fd);
        environment_note(&service.attachment);
}

static void run(void *point, void (*enter)(void *point))
{
        if (service_value(ATTACH_COPY) == ATTACH_COPY_ROLLBACK) {
                copies_begin(NULL);
                copies_rollback_run_at(point, enter);
        }
        copies_run(NULL);
}

/* In a copy nothing of ours is left: neither the slot nor the log. What it writes to stderr is logged. */
static _Noreturn void end_copy(struct line *line)
{
        if (!service.attachment.values[ATTACH_STDERR_SOCKET]) {
                record_set_targets(-1, STDERR_FD);
                record_write(line);
        }
        sys_exit(PREFORK_EXIT_START_FAILED);
}

static void refused(enum touch_refusal refusal)
{
        char text[RECORD_BYTES], why[TOUCH_REFUSAL_BYTES];
        struct line line = record_begin(text, RECORD_ERROR);
        uint32_t packed = touch_refusal_pack(refusal, standstill_culprit());

        line_add(&line, "start_method = snapshot cannot copy the handler: ");
        line_add(&line, touch_refusal_describe(packed, why));
        line_add(&line, "; expected forkserver or exec");
        if (sys_getpid() != service.pid)
                end_copy(&line);
        if (!service_is_auto(ATTACH_AUTO_STOP))
                record_write(&line);
        service_refuse(packed);
}

void snapshot_begin(void)
{
        static struct touch_host host = {.has_fd = service_owns,
                                         .next_fd = next_fd,
                                         .make_way = make_way,
                                         .pass_on = pass_on,
                                         .environment_room = environment_room,
                                         .environment_extend = environment_extend,
                                         .run = run,
                                         .refused = refused};

        host.kept_signals = sys_signal_bit(DOOR_SIGNAL);
        host.family = (int)service.attachment.values[ATTACH_FAMILY];
        host.stderr_too = service.attachment.values[ATTACH_STDERR_SOCKET] != 0;
        int r = touch_begin(&host);
        if (r < 0)
                service_fail(PREFORK_STAGE_HANDLER, -r);
}
