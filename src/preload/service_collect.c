/* The worker: until the copy has ended and its request is counted. */
#include "preload/service.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/door.h"
#include "lib/host_text.h"
#include "lib/orders.h"
#include "lib/record_limit.h"
#include "lib/text_of.h"
#include "preload/record.h"
#include "preload/service_private.h"
#include "preload/stderr_reader.h"

void service_note_copy(pid_t pid)
{
        uint64_t mask = ALL_SIGNALS;

        service.copy = pid;
        for (size_t i = 0; i < orders_caught_count; i++)
                mask &= ~sys_signal_bit(orders_caught[i]);
        sys_set_mask(mask, NULL);
        if (service_has_request())
                orders_look(); /* for an order that came before the pid was known */
}

void service_collect(pid_t pid, int *ret_status, struct rusage *ret_usage)
{
        siginfo_t info;

        /* Without collecting it: until then no other process can get its pid, so an order that arrives at any moment
         * signals the right one. */
        while (!door_is_orphaned()) {
                long r = SYS_5(__NR_waitid, P_PID, pid, &info, WEXITED | WNOWAIT, NULL);
                if (r != -EINTR)
                        break;
        }
        if (door_is_orphaned()) /* also with a copy that still waits: it may just have accepted a connection */
                stderr_reader_run(service.log_read_fd, pid);
        service.copy = 0;
        service.ended = pid;
        while (SYS_4(__NR_wait4, pid, ret_status, 0, ret_usage) == -EINTR)
                ;
}

static void log_killed(int status, bool ordered, uint64_t duration_ns)
{
        struct prefork_scoreboard *board = service.desk.slot.board;
        int number = WTERMSIG(status);
        enum prefork_record kind = number == SIGPIPE ? PREFORK_RECORD_LEFT : PREFORK_RECORD_KILLED;
        char text[RECORD_BYTES], more_text[RECORD_LIMIT_TEXT_MAX];
        uint32_t more = 0;

        if (!ordered && !record_limit_take(&board->records[kind], sys_now_ns(), &more))
                return;
        struct line line = record_begin(text, ordered ? RECORD_INFO : RECORD_NOTICE);
        line_add(&line, "handler killed by signal ");
        line_add_number(&line, (uint64_t)number);
        line_add(&line, " (");
        text_of_signal(&line, number);
        line_add(&line, WCOREDUMP(status) ? "), core dumped, after " : ") after ");
        line_add_number(&line, duration_ns / 1000000);
        line_add(&line, " ms");
        line_add(&line, record_limit_text(more, more_text));
        record_write(&line);
}

static uint64_t time_us(const struct timeval *time)
{
        return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

static void log_idle(void)
{
        char text[RECORD_BYTES];
        struct line line = record_begin(text, RECORD_INFO);

        line_add(&line, "idle_timeout: nothing has gone either way for ");
        line_add_number(&line, service.attachment.values[ATTACH_IDLE_MS]);
        line_add(&line, " ms");
        record_write(&line);
        slot_was_idle(&service.desk.slot);
}

void service_note_end(int status, const struct rusage *usage)
{
        uint64_t begun_ns = atomic_exchange(&service.note->begun_ns, 0);
        struct connection_record outcome = {.end = connection_log_end_of(status, orders_end_request()),
                                            .pid = service.ended,
                                            .status = status,
                                            .cpu_us = time_us(&usage->ru_utime) + time_us(&usage->ru_stime),
                                            .has = CONNECTION_HAS_STATUS | CONNECTION_HAS_CPU};

        service.warned = false;
        if (service_end_connection(&outcome, begun_ns))
                log_idle();
        uint64_t ended_ns = sys_now_ns();
        if (WIFSIGNALED(status))
                log_killed(status, outcome.end == CONNECTION_TIMED_OUT || outcome.end == CONNECTION_IDLE,
                           ended_ns > begun_ns ? ended_ns - begun_ns : 0);
        request_end(&service.desk, ended_ns, status, outcome.cpu_us);
}

void service_lose(int error)
{
        uint64_t begun_ns = atomic_exchange(&service.note->begun_ns, 0), ended_ns = sys_now_ns();
        char text[RECORD_BYTES];
        struct line line = record_begin(text, RECORD_ERROR);

        line_add(&line, "closed a connection of ");
        host_text_add(&line, &service.client.peer, service.listeners[0]);
        line_add(&line, " unserved: its handler could not be started for ");
        line_add_number(&line, (ended_ns - begun_ns) / 1000000);
        line_add(&line, " ms: ");
        text_of_error(&line, -error);
        record_write(&line);
        service_end_connection(&(struct connection_record){.end = CONNECTION_LOST}, begun_ns);
        slot_lost(&service.desk.slot);
        request_end(&service.desk, ended_ns, 0, 0);
}
