#include "preload/template.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "lib/recycling.h"
#include "lib/sys.h"
#include "preload/admission.h"
#include "preload/record.h"
#include "preload/service.h"
#include "preload/service_private.h"
#include "preload/template_link.h"

#define STDERR_FD 2

_Static_assert(TEMPLATE_LISTENERS_MAX == LISTENERS_MAX, "an order has the listeners of a worker");

/* An order as it has come. */
struct received {
        struct template_order order;
        int fds[TEMPLATE_FDS_MAX];
        size_t count;
        bool is_whole;
};

bool template_is_expected(void)
{
        return service.template_fd >= 0 && !service.stopped && sys_getpid() == service.pid;
}

static size_t count_wanted(const struct template_order *order)
{
        size_t count = order->listeners;

        for (unsigned i = 0; i < TEMPLATE_FD_COUNT; i++)
                count += order->has >> i & 1;
        return count;
}

static void take_fds(const struct msghdr *message, struct received *ret)
{
        const struct cmsghdr *header = CMSG_FIRSTHDR(message);

        ret->count = 0;
        if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
                return;
        ret->count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        __builtin_memcpy(ret->fds, CMSG_DATA(header), ret->count * sizeof(int));
}

/* False: there will be no more. */
static bool receive(struct received *ret)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(ret->fds))];
        } control = {0};
        struct iovec data = {.iov_base = &ret->order, .iov_len = sizeof(ret->order)};
        struct msghdr message = {.msg_iov = &data,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        long r;

        do
                r = SYS_3(__NR_recvmsg, service.template_fd, &message, MSG_CMSG_CLOEXEC);
        while (r == -EINTR || r == -ENOMEM || r == -ENOBUFS);
        if (r != (long)sizeof(ret->order) || ret->order.listeners > LISTENERS_MAX)
                return false;
        take_fds(&message, ret);
        ret->is_whole = !(message.msg_flags & MSG_CTRUNC) && ret->count == count_wanted(&ret->order);
        return true;
}

static void close_fds(const struct received *received)
{
        for (size_t i = 0; i < received->count; i++)
                sys_close(received->fds[i]);
}

static bool is_same_file(int one, int other)
{
        struct stat a = {0}, b = {0};

        return sys_fstat(one, &a) == 0 && sys_fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* What the program writes to stderr belongs to this worker now, if it has not changed where that goes. */
static void take_log(int log_fd, int log_read_fd, int log_socket_fd)
{
        if (log_fd >= 0 && is_same_file(STDERR_FD, service.log_fd))
                SYS_3(__NR_dup3, log_fd, STDERR_FD, 0);
        sys_close(service.log_fd);
        service.log_fd = log_fd;
        service.log_read_fd = log_read_fd;
        service.log_socket_fd = log_socket_fd;
        record_set_targets(log_socket_fd, log_fd);
}

static void note(enum attach_variable variable, uint64_t value)
{
        service.attachment.has[variable] = true;
        service.attachment.values[variable] = value;
}

static int take_slot(uint32_t number, int board_fd, int wake_fd)
{
        void *memory;

        int r = sys_map_shared(board_fd, sizeof(struct pool_memory), &memory);
        if (r == 0)
                r = slot_attach(&service.desk.slot, memory, number, wake_fd);
        if (r < 0)
                return r;
        service.board_fd = board_fd;
        recycling_begin(&service.desk.recycling, recycling_open_memory(), sys_now_ns());
        atomic_store(&service.desk.slot.words->attached, PREFORK_ATTACHED_PRELOAD);
        note(ATTACH_SLOT, number);
        return 0;
}

/* What the pool asks of its clients. A worker that does not find it serves nobody. That of a worker which has been one
 * before is the same. */
static int take_access(void)
{
        if (service.access_fd < 0 || service.gate.access)
                return 0;
        int r = admission_map(service.access_fd, &service.gate, &service.gate_bytes);
        if (r == 0 && service_value(ATTACH_STOP) != ATTACH_STOP_WAIT) { /* else the program may execute another one */
                sys_close(service.access_fd);
                service.access_fd = -1;
        }
        return r;
}

/* In the worker. The master takes it for one from its first word on. */
static void become_worker(const struct received *received)
{
        int own[TEMPLATE_FD_COUNT];
        size_t at = 0;

        if (template_link_say(service.template_fd, TEMPLATE_LAUNCHED, received->order.launch, 0, 0) < 0)
                sys_exit(PREFORK_EXIT_ORPHANED);
        sys_close(service.template_fd);
        service.template_fd = -1;
        service.attachment.has[ATTACH_TEMPLATE_FD] = false;
        SYS_0(__NR_setsid);
        service.pid = sys_getpid();
        for (unsigned i = 0; i < TEMPLATE_FD_COUNT; i++)
                own[i] = received->order.has >> i & 1 ? received->fds[at++] : -1;
        for (size_t i = 0; i < received->order.listeners; i++)
                service.listeners[i] = received->fds[at++];
        service.listener_count = received->order.listeners;
        service.heir_fd = own[TEMPLATE_FD_HEIR];
        service.heir_after = received->order.heir_after;
        take_log(own[TEMPLATE_FD_LOG], own[TEMPLATE_FD_LOG_READ], own[TEMPLATE_FD_LOG_SOCKET]);
        if (take_slot(received->order.slot, own[TEMPLATE_FD_BOARD], own[TEMPLATE_FD_WAKE]) < 0)
                sys_exit(PREFORK_EXIT_START_FAILED); /* there is no slot to say why */
        int r = take_access();
        if (r < 0)
                service_fail(PREFORK_STAGE_MEMORY, -r);
}

void template_run(pid_t (*fork_worker)(void))
{
        static struct received received; /* not on the program's stack */

        service_stop();
        template_link_say(service.template_fd, TEMPLATE_STOPPED, 0, 0, 0);
        while (receive(&received)) {
                pid_t pid = received.is_whole ? fork_worker() : -EMFILE;
                if (pid == 0) {
                        become_worker(&received);
                        return;
                }
                close_fds(&received);
                if (pid < 0)
                        template_link_say(service.template_fd, TEMPLATE_NOT_LAUNCHED, received.order.launch, 0,
                                          (uint32_t)-pid);
        }
        sys_exit(0);
}
