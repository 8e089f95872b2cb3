/* The worker has a descriptor of the connection, too, until its copy has ended: for connection_log, lingering_close and
 * idle_timeout. A copy that waits in its place passes it on by a socket of packets, where the worker finds it when it
 * is needed: at once if somebody watches the connection, which the copy tells by a signal; else at the end. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "lib/connection_log.h"
#include "lib/idle_watch.h"
#include "lib/last_input.h"
#include "lib/orders.h"
#include "preload/service.h"
#include "preload/service_private.h"

static bool holds(void)
{
        return service.desk.log.mode == CONNECTION_LOG_ALL || service.attachment.values[ATTACH_LINGERING_MS] > 0 ||
               service.attachment.values[ATTACH_IDLE_MS] > 0;
}

/* Where the worker waits itself, it has the connection. */
static bool is_passed(void)
{
        return service.attachment.values[ATTACH_COPY] != ATTACH_COPY_ROLLBACK;
}

int service_hold_begin(void)
{
        connection_log_open(&service.desk.log,
                            (enum connection_log_mode)service.attachment.values[ATTACH_CONNECTION_LOG],
                            service.desk.slot.board, sys_getpid());
        connection_log_note_listeners(&service.desk.log, service.listeners, service.listener_count);
        return holds() && is_passed() ? sys_socket_pair(service.hold_fds) : 0;
}

union control {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
};

/* If it cannot be passed, the worker does without. */
static void pass(int connection)
{
        union control control = {
                .header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
        char byte = 0;
        struct iovec data = {.iov_base = &byte, .iov_len = 1};
        const struct msghdr message = {.msg_iov = &data,
                                       .msg_iovlen = 1,
                                       .msg_control = control.bytes,
                                       .msg_controllen = sizeof(control.bytes)};

        __builtin_memcpy(CMSG_DATA(&control.header), &connection, sizeof(connection));
        SYS_3(__NR_sendmsg, service.hold_fds[0], &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int receive(void)
{
        union control control = {0};
        char byte;
        struct iovec data = {.iov_base = &byte, .iov_len = 1};
        struct msghdr message = {.msg_iov = &data,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        int fd = -1;

        long r = SYS_3(__NR_recvmsg, service.hold_fds[1], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        const struct cmsghdr *header = r >= 0 ? CMSG_FIRSTHDR(&message) : NULL;
        if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
                __builtin_memcpy(&fd, CMSG_DATA(header), sizeof(fd));
        return fd;
}

/* A copy has passed a connection, or the timer of idle_timeout has come. */
static void on_alarm(void)
{
        if (is_passed() && service.held_fd < 0 && service_has_request()) {
                service.held_fd = receive();
                if (service.held_fd >= 0)
                        idle_watch_begin(service.held_fd);
        }
        idle_watch_look();
}

int service_hold_watch(void)
{
        orders_set_alarm(on_alarm);
        return idle_watch_open(service.attachment.values[ATTACH_IDLE_MS], service.attachment.values[ATTACH_KILL_MS],
                               false);
}

void service_hold_connection(int connection)
{
        if (!holds())
                return;
        connection_log_begin(&service.desk.log, &service.client, connection, &service.note->record);
        if (!is_passed()) {
                service.held_fd = (int)SYS_3(__NR_fcntl, connection, F_DUPFD_CLOEXEC, service.first_own_fd);
                idle_watch_begin(service.held_fd);
                return;
        }
        pass(connection);
        if (service.attachment.values[ATTACH_IDLE_MS] > 0)
                sys_kill(service.pid, SIGALRM);
}

/* The worker's descriptor. A signal may have taken it out of the socket already. */
static int take(void)
{
        int fd = is_passed() && service.held_fd < 0 ? receive() : -1;

        return fd >= 0 ? fd : service.held_fd;
}

static void write_record(const struct connection_record *outcome, int connection, uint64_t begun_ns)
{
        struct connection_record *record = &service.note->record;

        record->end = outcome->end;
        record->pid = outcome->pid;
        record->status = outcome->status;
        record->cpu_us = outcome->cpu_us;
        record->has |= outcome->has;
        connection_log_measure(connection, record);
        if (connection >= 0)
                last_input_close(connection);
        record->duration_us = (sys_now_ns() - begun_ns) / 1000;
        connection_log_write(&service.desk.log, service.desk.slot.wake_fd, record);
}

bool service_end_connection(struct connection_record *outcome, uint64_t begun_ns)
{
        uint64_t lingering_ms = service.attachment.values[ATTACH_LINGERING_MS];

        if (!holds())
                return false;
        bool was_idle = idle_watch_end();
        int connection = take();
        if (was_idle)
                outcome->end = CONNECTION_IDLE;
        if (connection >= 0 && lingering_ms > 0 && outcome->end != CONNECTION_LOST)
                last_input_drop(connection, lingering_ms);
        if (service.desk.log.mode == CONNECTION_LOG_ALL)
                write_record(outcome, connection, begun_ns);
        else if (connection >= 0)
                last_input_close(connection);
        service.held_fd = -1;
        return was_idle;
}
