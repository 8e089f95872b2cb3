#include "worker/accept_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "lib/door.h"
#include "lib/idle_watch.h"
#include "lib/last_input.h"
#include "os/clock.h"
#include "lib/orders.h"
#include "lib/record_limit.h"
#include "worker/admission.h"

#define CPU_LOOK_NS 1000000

/* True if a record of that kind may be logged now, with `text` at its end. */
static bool may_log(const struct accept_loop *loop, enum prefork_record kind, uint64_t now_ns,
                    char text[static RECORD_LIMIT_TEXT_MAX])
{
        uint32_t more;

        if (!record_limit_take(&loop->desk.slot.board->records[kind], now_ns, &more))
                return false;
        record_limit_text(more, text);
        return true;
}

/* The system lacks a resource: warn once for each shortage, pause, and let the caller try again. The retire signal and
 * the master's orders end the pause early. */
static void endure_shortage(const struct accept_loop *loop, bool *warned, const char *what, int error)
{
        if (!*warned)
                log_warning("%s: %s; trying again until it is over", what, strerror(-error));
        *warned = true;
        acceptor_pause(&loop->acceptor);
}

/* A shortage of processes (EAGAIN), memory or descriptors, or a program that somebody is writing (ETXTBSY). */
static bool is_handler_shortage(int error)
{
        return acceptor_is_shortage(error) || error == -EAGAIN || error == -ETXTBSY;
}

/* Serve one connection, or the datagram (-1). In a shortage, hold it and try again for start_timeout, unless the master
 * orders the end of the request. 0 with *ret filled in; -errno: it was not served. */
static int serve_with_patience(struct accept_loop *loop, int connection, const struct client *client, uint64_t begun_ns,
                               struct runtime_outcome *ret)
{
        for (bool is_first = true;; is_first = false) {
                int r = connection < 0 ? loop->runtime_ops->serve_datagram(loop->runtime, loop->datagram, ret)
                                       : loop->runtime_ops->serve(loop->runtime, connection, client, ret);
                if (!is_handler_shortage(r)) {
                        if (is_first)
                                loop->warned_of_handler = false;
                        return r;
                }
                if (orders_end_request() || clock_now_ns() - begun_ns >= loop->patience_ns)
                        return r;
                endure_shortage(loop, &loop->warned_of_handler, "cannot start the handler of a connection", r);
        }
}

static void log_loss(const struct client *client, uint64_t duration_ms, int error)
{
        char text[ADDRESS_TEXT_MAX];

        address_format(&client->peer, text, sizeof(text));
        log_error("closed a connection%s%s unserved: its handler could not be started for %llu ms: %s",
                  text[0] ? " of " : "", text, (unsigned long long)duration_ms, strerror(-error));
}

/* Log a request that its handler, which is no process, could not serve. */
static void log_failure(const struct accept_loop *loop, const struct runtime_outcome *outcome, uint64_t begun_ns,
                        uint64_t ended_ns)
{
        char more[RECORD_LIMIT_TEXT_MAX];

        if (outcome->error != 0 && may_log(loop, PREFORK_RECORD_FAILED, ended_ns, more))
                log_notice("handler failed after %llu ms: %s%s", (unsigned long long)(ended_ns - begun_ns) / 1000000,
                           strerror(outcome->error), more);
}

/* The CPU time of serving since it was looked at last, in µs, if this process serves. It is looked at once in a while,
 * because that takes a system call: what is not reported of one request is of a later one. */
static uint64_t take_cpu_us(struct accept_loop *loop, uint64_t now_ns)
{
        uint64_t before_ns = loop->cpu_ns;

        if (!loop->runtime_ops->in_process || now_ns - loop->cpu_looked_ns < CPU_LOOK_NS)
                return 0;
        loop->cpu_looked_ns = now_ns;
        loop->cpu_ns = clock_thread_cpu_ns();
        return (loop->cpu_ns - before_ns) / 1000;
}

/* A request that has ended. */
struct served {
        struct runtime_outcome outcome;
        enum connection_end end;
        uint64_t begun_ns;
};

static enum connection_end end_of(const struct runtime_outcome *outcome, bool is_lost, bool was_idle)
{
        enum connection_end end = connection_log_end_of(outcome->status, orders_end_request());

        if (is_lost)
                return CONNECTION_LOST;
        if (was_idle)
                return CONNECTION_IDLE;
        return end == CONNECTION_SERVED && outcome->error != 0 ? CONNECTION_FAILED : end;
}

/* The connection's end, after its handler's: it is closed, and logged if that is wanted. */
static void close_connection(struct accept_loop *loop, const struct served *served, struct connection_record *record)
{
        const struct runtime_outcome *outcome = &served->outcome;
        bool logs = loop->desk.log.mode == CONNECTION_LOG_ALL;

        if (loop->lingering_ms > 0 && outcome->connection >= 0 && served->end != CONNECTION_LOST)
                last_input_drop(outcome->connection, loop->lingering_ms);
        if (logs)
                connection_log_measure(outcome->connection, record);
        if (outcome->connection >= 0 && outcome->pid > 0)
                last_input_close(outcome->connection);
        else if (outcome->connection >= 0)
                close(outcome->connection);
        if (!logs)
                return;
        record->duration_us = (clock_now_ns() - served->begun_ns) / 1000;
        record->end = served->end;
        if (served->end != CONNECTION_LOST) {
                record->status = outcome->status;
                record->cpu_us = outcome->cpu_us;
                record->pid = outcome->pid > 0 ? outcome->pid : loop->desk.log.worker;
                record->has |= CONNECTION_HAS_STATUS | (outcome->pid > 0 ? CONNECTION_HAS_CPU : 0);
        }
        connection_log_write(&loop->desk.log, loop->desk.slot.wake_fd, record);
}

/* Log a handler that a signal killed. Its exit code has no meaning for us. */
static void log_outcome(const struct accept_loop *loop, const struct served *served, uint64_t ended_ns)
{
        int status = served->outcome.status;

        if (!WIFSIGNALED(status))
                return;
        int number = WTERMSIG(status);
        enum prefork_record kind = number == SIGPIPE ? PREFORK_RECORD_LEFT : PREFORK_RECORD_KILLED;
        char more[RECORD_LIMIT_TEXT_MAX] = "";
        bool ordered = served->end == CONNECTION_TIMED_OUT || served->end == CONNECTION_IDLE;
        if (!ordered && !may_log(loop, kind, ended_ns, more))
                return;
        log_emit(ordered ? LOG_INFO : LOG_NOTICE, NULL, "handler killed by signal %d (%s)%s after %llu ms%s", number,
                 strsignal(number), WCOREDUMP(status) ? ", core dumped," : "",
                 (unsigned long long)(ended_ns - served->begun_ns) / 1000000, more);
}

static void note_idle(struct accept_loop *loop)
{
        slot_was_idle(&loop->desk.slot);
        log_info("idle_timeout: nothing has gone either way for %llu ms", (unsigned long long)loop->idle_ms);
}

/* Serve one accepted connection or the datagram (-1), which request_admit() has admitted, and close it. 0: the request
 * has ended, or was lost in a shortage; -errno: this worker cannot serve. */
static int serve(struct accept_loop *loop, int connection, const struct client *client)
{
        struct served served = {.begun_ns = clock_now_ns()};
        const struct runtime_outcome *outcome = &served.outcome;
        struct connection_record record;

        request_begin(&loop->desk, served.begun_ns);
        if (loop->desk.log.mode == CONNECTION_LOG_ALL)
                connection_log_begin(&loop->desk.log, client, connection, &record);
        idle_watch_begin(connection);
        int r = serve_with_patience(loop, connection, client, served.begun_ns, &served.outcome);
        bool was_idle = idle_watch_end();
        if (r < 0)
                served.outcome = (struct runtime_outcome){.connection = connection};
        served.end = end_of(outcome, r < 0, was_idle);
        close_connection(loop, &served, &record);
        uint64_t ended_ns = clock_now_ns();
        if (r < 0) {
                if (!is_handler_shortage(r))
                        return r;
                log_loss(client, (ended_ns - served.begun_ns) / 1000000, r);
                slot_lost(&loop->desk.slot);
        }
        if (was_idle)
                note_idle(loop);
        log_outcome(loop, &served, ended_ns);
        log_failure(loop, outcome, served.begun_ns, ended_ns);
        request_end(&loop->desk, ended_ns, outcome->status, outcome->cpu_us + take_cpu_us(loop, ended_ns));
        return -outcome->failure;
}

/* The connection has the number of a descriptor of ours, so the handler has closed that. The connection cannot help it:
 * it is served, and is the last one. */
static int take_from_own_fds(const struct accept_loop *loop, int *connection)
{
        if (*connection < 0 || !loop->runtime_ops->in_process || !own_fds_has(&loop->own_fds, *connection))
                return 0;
        int closed = *connection;
        *connection = own_fds_step_aside(&loop->own_fds, closed);
        log_error("the handler has closed descriptor %d, which is its worker's; the worker ends", closed);
        return EBADF;
}

/* Descriptors that a handler in this process keeps do not come back. */
static bool has_leaked_fds(const struct accept_loop *loop, int error)
{
        return error == -EMFILE && loop->runtime_ops->in_process;
}

static void log_failed_listener(const struct accept_loop *loop, int error)
{
        struct address address = {.length = sizeof(address.un)};
        char text[ADDRESS_TEXT_MAX];

        if (getsockname(loop->acceptor.failed, &address.any, &address.length) < 0)
                return;
        address_format(&address, text, sizeof(text));
        log_error("cannot accept connections on %s: %s", text, strerror(-error));
}

/* The copy of a listener for datagrams; -1: it is for connections, or the door has closed it. */
static int find_answer_fd(const struct accept_loop *loop, int listener)
{
        for (size_t i = 0; i < loop->acceptor.count; i++)
                if (loop->acceptor.listeners[i] == listener)
                        return loop->answer_fds[i];
        return -1;
}

/* As accept4(2), for listeners of both kinds: *ret_fd is -1 for a datagram. */
static int take(void *context, int listener, struct address *ret_peer, int *ret_fd)
{
        struct accept_loop *loop = context;
        int answer_fd = find_answer_fd(loop, listener);

        if (answer_fd < 0)
                return acceptor_accept(listener, ret_peer, ret_fd);
        int r = datagram_receive(listener, answer_fd, loop->datagram);
        if (r < 0)
                return r;
        *ret_peer = loop->datagram->sender;
        *ret_fd = -1;
        return 0;
}

int accept_loop_prepare(struct accept_loop *loop)
{
        struct acceptor *acceptor = &loop->acceptor;
        bool has_datagrams = false;

        loop->answer_fds = calloc(acceptor->count, sizeof(*loop->answer_fds));
        if (!loop->answer_fds)
                return -ENOMEM;
        for (size_t i = 0; i < acceptor->count; i++) {
                loop->answer_fds[i] = -1;
                if (!datagram_prepare(acceptor->listeners[i]))
                        continue;
                loop->answer_fds[i] = fcntl(acceptor->listeners[i], F_DUPFD_CLOEXEC, 0);
                if (loop->answer_fds[i] < 0)
                        return -errno;
                own_fds_add(&loop->own_fds, loop->answer_fds[i]);
                has_datagrams = true;
        }
        if (!has_datagrams)
                return 0;
        if (!loop->runtime_ops->serve_datagram)
                return -EPROTOTYPE;
        loop->datagram = malloc(sizeof(*loop->datagram));
        if (!loop->datagram)
                return -ENOMEM;
        acceptor->take = take;
        acceptor->context = loop;
        return 0;
}

void accept_loop_clear(struct accept_loop *loop)
{
        lingering_end(&loop->lingering);
        for (size_t i = 0; loop->answer_fds && i < loop->acceptor.count; i++)
                fd_closep(&loop->answer_fds[i]);
        free(loop->answer_fds);
        free(loop->datagram);
}

/* Serve connections until the worker must end. Its exit code, or -errno: it cannot serve. */
static int serve_until_end(struct accept_loop *loop, enum prefork_stage *stage)
{
        for (;;) {
                struct client client;
                int connection;

                *stage = PREFORK_STAGE_LISTENERS;
                lingering_wait(&loop->lingering, acceptor_watched(&loop->acceptor), 1, &loop->desk.slot);
                int r = acceptor_wait(&loop->acceptor, &client.peer, &connection);
                if (acceptor_is_shortage(r) && loop->lingering.count > 0) { /* they may be what is missing */
                        lingering_end(&loop->lingering);
                        continue;
                }
                if (has_leaked_fds(loop, r)) {
                        *stage = PREFORK_STAGE_HANDLER;
                        return r;
                }
                if (acceptor_is_shortage(r) || acceptor_is_passing(r)) {
                        endure_shortage(loop, &loop->warned_of_accept, "accept", r);
                        continue;
                }
                if (r == -ESHUTDOWN)
                        return door_is_orphaned() ? PREFORK_EXIT_ORPHANED : PREFORK_EXIT_RETIRED;
                if (r < 0) {
                        log_failed_listener(loop, r);
                        return r;
                }
                loop->warned_of_accept = false;
                *stage = loop->runtime_ops->in_process ? PREFORK_STAGE_HANDLER : PREFORK_STAGE_EXEC;
                int damage = take_from_own_fds(loop, &connection);
                /* Before the connection becomes a request: who is refused costs none. */
                if (admission_admits(&loop->gate, &loop->desk, &client, connection, &loop->lingering)) {
                        r = serve(loop, connection, &client);
                        if (r < 0)
                                return r;
                        if (!request_next(&loop->desk))
                                return PREFORK_EXIT_RECYCLED;
                }
                if (damage > 0)
                        return -damage;
        }
}

int accept_loop_run(struct accept_loop *loop, struct worker_failure *ret)
{
        enum prefork_stage stage = PREFORK_STAGE_HANDLER;

        int r = idle_watch_open(loop->idle_ms, loop->kill_ms, loop->runtime_ops->in_process);
        if (r == 0)
                r = serve_until_end(loop, &stage);
        if (r >= 0)
                return r;
        *ret = (struct worker_failure){.stage = stage, .error = -r};
        return stage == PREFORK_STAGE_LISTENERS ? PREFORK_EXIT_LISTENER_FAILED : PREFORK_EXIT_START_FAILED;
}
