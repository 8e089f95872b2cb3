#include "preload/listener_template.h"

#include <errno.h>
#include <signal.h>

#include "base/cleanup.h"
#include "lib/sys.h"
#include "preload/accounting.h"
#include "preload/copies.h"
#include "preload/environment.h"
#include "preload/listeners.h"
#include "preload/own_fds.h"
#include "preload/record.h"
#include "preload/service.h"
#include "preload/service_private.h"
#include "preload/touch/guard.h"
#include "preload/touch/standstill.h"
#include "preload/touch/touch.h"

static bool is_not_the_programs(int fd)
{
        return service_owns(fd) || listeners_index(fd) >= 0;
}

static void say(const char *why)
{
        char text[RECORD_BYTES];
        struct line line = record_begin(text, RECORD_ERROR);

        line_add(&line, "start_method = snapshot cannot copy the handler: ");
        line_add(&line, why);
        line_add(&line, "; expected exec");
        record_write(&line);
}

/* In the template and in a worker. */
static _Noreturn void refuse(const char *why)
{
        say(why);
        if (service.template_fd >= 0) {
                sys_set_mask(ALL_SIGNALS, NULL);
                sys_kill(0, SIGTERM); /* its children are in its group */
        }
        service_fail(PREFORK_STAGE_HANDLER, EOPNOTSUPP);
}

/* The program may have wanted their numbers for its own meanwhile. */
static void find_own_fds(const struct attachment *attachment)
{
        service.template_fd = (int)attachment->values[ATTACH_TEMPLATE_FD];
        service.log_fd = attachment->has[ATTACH_LOG_FD] ? (int)attachment->values[ATTACH_LOG_FD] : -1;
        record_set_targets(-1, service.log_fd);
}

static void settle(enum attach_variable variable, int *fd, struct attachment *attachment)
{
        int r = own_fds_move(fd, service.first_own_fd);

        if (r < 0)
                service_fail(PREFORK_STAGE_DESCRIPTORS, -r);
        attachment->has[variable] = *fd >= 0;
        attachment->values[variable] = (uint64_t)*fd;
}

/* The worker is from now on as if it had executed the program itself. */
static void describe(struct attachment *attachment, struct request_desk *desk)
{
        static const enum attach_variable of_template[] = {ATTACH_STOP, ATTACH_TEMPLATE_FD, ATTACH_LOG_FD};

        for (size_t i = 0; i < ELEMENTS(of_template); i++)
                attachment->has[of_template[i]] = false;
        attachment->has[ATTACH_SLOT] = true;
        attachment->values[ATTACH_SLOT] = service.desk.slot.index;
        attachment->values[ATTACH_PID] = (uint64_t)service.pid;
        settle(ATTACH_SCOREBOARD_FD, &service.board_fd, attachment);
        settle(ATTACH_WAKE_FD, &service.desk.slot.wake_fd, attachment);
        settle(ATTACH_STATM_FD, &service.desk.recycling.statm_fd, attachment);
        environment_note(attachment);
        *desk = service.desk;
}

/* The worker's pipe is its stderr, and it writes no records. */
static void close_passed(void)
{
        int *const fds[] = {&service.log_fd, &service.log_read_fd, &service.log_socket_fd};

        record_set_targets(-1, -1);
        for (size_t i = 0; i < ELEMENTS(fds); i++) {
                if (*fds[i] >= 0)
                        sys_close(*fds[i]);
                *fds[i] = -1;
        }
        for (size_t i = 0; i < service.listener_count; i++)
                sys_close(service.listeners[i]);
        service.listener_count = 0;
}

static void stop(struct attachment *attachment, struct request_desk *desk)
{
        find_own_fds(attachment);
        enum touch_refusal refusal = standstill_keep();
        if (refusal != TOUCH_FINE)
                refuse(touch_refusal_text(refusal));
        if (!listeners_leave())
                refuse("it has too many descriptors of its listeners");
        copies_make_workers();
        if (service.listener_count < listeners_given() || !listeners_put(service.listeners))
                service_fail(PREFORK_STAGE_LISTENERS, EBADF);
        refusal = standstill_renew();
        if (refusal != TOUCH_FINE)
                refuse(touch_refusal_text(refusal));
        describe(attachment, desk);
        close_passed();
        service_give_attributes();
        service_restore_mask();
}

/* The program would wait for its children for ever. */
static void child_waits(void)
{
        say("it makes processes that accept connections");
        sys_kill(service.pid, SIGTERM);
}

void listener_template_begin(void)
{
        static const struct accounting_template ops = {.stop = stop, .child_waits = child_waits};
        static const struct touch_host host = {.has_fd = is_not_the_programs, .shares_temporary_files = true};

        guard_begin(&host);
        if (!accounting_begin_template(&service.attachment, &ops))
                refuse("it has too many listeners");
}
