#include "preload/listener_template.h"

#include <errno.h>
#include <signal.h>

#include "base/cleanup.h"
#include "lib/door.h"
#include "lib/sys.h"
#include "preload/accounting.h"
#include "preload/copies.h"
#include "preload/environment.h"
#include "preload/listeners.h"
#include "preload/own_fds.h"
#include "preload/record.h"
#include "preload/service.h"
#include "preload/service_private.h"
#include "preload/template_link.h"
#include "preload/touch/guard.h"
#include "preload/touch/standstill.h"
#include "preload/touch/touch.h"

/* Of the process that stops: its own descriptors are listed there. */
static const struct attachment *stopping;

static bool is_not_the_programs(int fd)
{
        return service_owns(fd) || own_fds_has(stopping, fd) || listeners_index(fd) >= 0;
}

static void say(const char *what, const char *why, const char *then)
{
        char text[RECORD_BYTES];
        struct line line = record_begin(text, RECORD_ERROR);

        line_add(&line, what);
        line_add(&line, why);
        line_add(&line, then);
        record_write(&line);
}

static void say_refusal(const char *why)
{
        say("start_method = snapshot cannot copy the handler: ", why, "; expected exec");
}

/* In the template and in a worker. */
static _Noreturn void refuse(uint32_t refusal, const char *why)
{
        if (service.template_fd < 0) {
                say_refusal(why);
                service_fail(PREFORK_STAGE_HANDLER, EOPNOTSUPP);
        }
        if (!service_is_auto(ATTACH_AUTO_STOP))
                say_refusal(why);
        service_refuse(refusal);
}

static _Noreturn void refuse_by_name(enum touch_refusal refusal)
{
        char why[TOUCH_REFUSAL_BYTES];
        uint32_t packed = touch_refusal_pack(refusal, standstill_culprit());

        refuse(packed, touch_refusal_describe(packed, why));
}

/* The program may have wanted their numbers for its own meanwhile. */
static void find_own_fds(const struct attachment *attachment)
{
        stopping = attachment;
        service.template_fd = (int)attachment->values[ATTACH_TEMPLATE_FD];
        service.log_fd = attachment->has[ATTACH_LOG_FD] ? (int)attachment->values[ATTACH_LOG_FD] : -1;
        service.access_fd = attachment->has[ATTACH_ACCESS_FD] ? (int)attachment->values[ATTACH_ACCESS_FD] : -1;
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

/* The worker is from now on as if it had executed the program itself; an heir keeps its socket to the master. What it
 * has is the attachment's. */
static void describe(struct attachment *attachment, struct request_desk *desk, struct gate *gate)
{
        attachment->has[ATTACH_STOP] = false;
        settle(ATTACH_TEMPLATE_FD, &service.heir_fd, attachment);
        settle(ATTACH_LOG_FD, &service.log_fd, attachment);
        settle(ATTACH_ACCESS_FD, &service.access_fd, attachment);
        record_set_targets(-1, service.log_fd);
        service.heir_fd = service.log_fd = service.access_fd = -1;
        attachment->has[ATTACH_SLOT] = true;
        attachment->values[ATTACH_SLOT] = service.desk.slot.index;
        attachment->values[ATTACH_PID] = (uint64_t)service.pid;
        settle(ATTACH_SCOREBOARD_FD, &service.board_fd, attachment);
        settle(ATTACH_WAKE_FD, &service.desk.slot.wake_fd, attachment);
        settle(ATTACH_STATM_FD, &service.desk.recycling.statm_fd, attachment);
        environment_note(attachment);
        *desk = service.desk;
        *gate = service.gate;
}

/* The worker's records are few, and take the way by the master. */
static void close_passed(void)
{
        int *const fds[] = {&service.log_read_fd, &service.log_socket_fd};

        for (size_t i = 0; i < ELEMENTS(fds); i++) {
                if (*fds[i] >= 0)
                        sys_close(*fds[i]);
                *fds[i] = -1;
        }
        for (size_t i = 0; i < service.listener_count; i++)
                sys_close(service.listeners[i]);
        service.listener_count = 0;
}

/* Returns in each worker. */
static uint64_t make_workers(struct attachment *attachment, struct request_desk *desk, struct gate *gate)
{
        if (!listeners_leave())
                refuse(TOUCH_TOO_MANY, "it has too many descriptors of its listeners");
        copies_make_workers();
        if (service.listener_count < listeners_given() || !listeners_put(service.listeners))
                service_fail(PREFORK_STAGE_LISTENERS, EBADF);
        enum touch_refusal refusal = standstill_renew();
        if (refusal != TOUCH_FINE)
                refuse_by_name(refusal);
        uint64_t heir_after = service.heir_fd >= 0 ? service.heir_after : 0;
        describe(attachment, desk, gate);
        close_passed();
        service_give_attributes();
        service_restore_mask();
        return heir_after;
}

static uint64_t stop(struct attachment *attachment, struct request_desk *desk, struct gate *gate)
{
        find_own_fds(attachment);
        enum touch_refusal refusal = standstill_keep();
        if (refusal != TOUCH_FINE)
                refuse_by_name(refusal);
        return make_workers(attachment, desk, gate);
}

static void drop(struct attachment *attachment, enum attach_variable variable)
{
        if (attachment->has[variable])
                sys_close((int)attachment->values[variable]);
        attachment->has[variable] = false;
}

/* It stays a worker. */
static bool decline(struct attachment *attachment)
{
        drop(attachment, ATTACH_TEMPLATE_FD);
        service.template_fd = service.log_fd = service.access_fd = -1;
        environment_note(attachment);
        return false;
}

/* Nothing of the worker is left: neither its slot nor its door. */
static void leave_rotation(struct attachment *attachment, struct request_desk *desk)
{
        slot_ending(&desk->slot);
        door_uninstall();
        sys_unmap(desk->slot.board, attach_memory_bytes(desk));
        drop(attachment, ATTACH_SCOREBOARD_FD);
        drop(attachment, ATTACH_WAKE_FD);
        drop(attachment, ATTACH_STATM_FD);
        attachment->has[ATTACH_SLOT] = false;
        service.board_fd = service.desk.slot.wake_fd = service.desk.recycling.statm_fd = -1;
        service.stopped = false;
}

/* After the first word the master may have changed its mind, or may not have lived: then nobody reads it. */
static bool inherit(struct attachment *attachment, struct request_desk *desk, struct gate *gate,
                    uint64_t *ret_heir_after)
{
        find_own_fds(attachment);
        if (template_link_say(service.template_fd, TEMPLATE_LOADED, TEMPLATE_VERSION, 0, 0) < 0)
                return decline(attachment);
        enum touch_refusal refusal = standstill_keep();
        if (refusal != TOUCH_FINE) {
                char why[TOUCH_REFUSAL_BYTES];
                uint32_t packed = touch_refusal_pack(refusal, standstill_culprit());
                say("snapshot_after: the worker cannot be copied: ", touch_refusal_describe(packed, why),
                    "; it serves on");
                template_link_say(service.template_fd, TEMPLATE_FAILED, packed, PREFORK_STAGE_HANDLER, EOPNOTSUPP);
                return decline(attachment);
        }
        leave_rotation(attachment, desk);
        *ret_heir_after = make_workers(attachment, desk, gate);
        return true;
}

/* The program would wait for its children for ever. */
static void child_waits(void)
{
        say_refusal("it makes processes that accept connections");
        sys_kill(service.pid, SIGTERM);
}

void listener_template_begin(void)
{
        static const struct accounting_template ops = {.stop = stop, .inherit = inherit, .child_waits = child_waits};
        static const struct touch_host host = {.has_fd = is_not_the_programs, .shares_temporary_files = true};

        stopping = &service.attachment;
        guard_begin(&host);
        if (!accounting_begin_template(&service.attachment, &ops))
                refuse(TOUCH_TOO_MANY, "it has too many listeners");
}
