/* The worker or its copy waits: until a connection is admitted and its request has begun. */
#include "preload/service.h"

#include <errno.h>

#include "lib/door.h"
#include "lib/host_text.h"
#include "lib/text_of.h"
#include "preload/admission.h"
#include "preload/record.h"
#include "preload/service_private.h"

int service_join(void)
{
        return acceptor_join(&service.acceptor, service.listeners, service.listener_count);
}

void service_endure(const char *what, int error)
{
        char text[RECORD_BYTES];

        if (!service.warned) {
                struct line line = record_begin(text, RECORD_WARNING);
                line_add(&line, what);
                line_add(&line, ": ");
                text_of_error(&line, -error);
                line_add(&line, "; trying again until it is over");
                record_write(&line);
        }
        service.warned = true;
        acceptor_pause(&service.acceptor);
}

static void log_failed_listener(int error)
{
        struct address address = {.length = sizeof(address.un)};
        char text[RECORD_BYTES];
        struct line line = record_begin(text, RECORD_ERROR);

        if (SYS_3(__NR_getsockname, service.acceptor.failed, &address.any, &address.length) < 0)
                return;
        line_add(&line, "cannot accept connections on ");
        bool is_v6 = address.any.sa_family == AF_INET6;
        line_add(&line, is_v6 ? "[" : NULL);
        host_text_add(&line, &address, service.acceptor.failed);
        line_add(&line, is_v6 ? "]" : NULL);
        host_text_add_path(&line, &address);
        if (address.any.sa_family != AF_UNIX) {
                line_add(&line, ":");
                line_add_number(&line, host_text_port(&address));
        }
        line_add(&line, ": ");
        text_of_error(&line, -error);
        record_write(&line);
}

static int fail_to_accept(int error)
{
        struct prefork_slot *words = service.desk.slot.words;

        log_failed_listener(error);
        atomic_store(&words->start_errno, (uint32_t)-error);
        atomic_store(&words->start_stage, PREFORK_STAGE_LISTENERS);
        return service_end_with(PREFORK_EXIT_LISTENER_FAILED);
}

/* Signals that have come while nobody was served are not for this client: somebody has looked for the program by its
 * name. All but the retire signal are blocked here. */
static void forget_signals(void)
{
        const uint64_t all = ALL_SIGNALS;
        const struct timespec at_once = {0};

        while (SYS_4(__NR_rt_sigtimedwait, &all, NULL, &at_once, sizeof(all)) > 0)
                ;
}

/* The worker of this copy has died, which closes the door. Its slot may be another's by now. */
static bool is_abandoned(void)
{
        return door_is_closed() && sys_getpid() != service.pid && sys_getppid() != service.pid;
}

/* Report that the service waits. False: it is to be recycled. */
static bool report_wait(struct slot *slot)
{
        uint32_t activity = atomic_load(&slot->words->activity);

        /* ENDING: the master has given up a worker that starts. */
        if (activity != PREFORK_STARTING && activity != PREFORK_ENDING)
                return request_idle(&service.desk);
        slot_ready(slot, sys_now_ns());
        return true;
}

int service_wait(void)
{
        struct client *client = &service.client;
        struct slot *slot = &service.desk.slot;

        if (!report_wait(slot))
                return service_end_with(PREFORK_EXIT_RECYCLED);
        for (;;) {
                int connection;

                lingering_wait(&service.lingering, acceptor_watched(&service.acceptor), 1, slot);
                int r = acceptor_wait(&service.acceptor, &client->peer, &connection);
                if (r != 0)
                        lingering_end(&service.lingering);
                if (acceptor_is_shortage(r) || acceptor_is_passing(r)) {
                        service_endure("accept", r);
                        continue;
                }
                if (r == -ESHUTDOWN)
                        return service_end_with(PREFORK_EXIT_RETIRED);
                if (r < 0)
                        return fail_to_accept(r);
                if (is_abandoned())
                        return service_end_with(PREFORK_EXIT_ORPHANED);
                service.warned = false;
                struct gate_refusal refusal = {.client = client, .connection = connection};
                refusal.answer = gate_decide(&service.gate, &service.desk, client, connection, &refusal.reason);
                if (refusal.answer == GATE_ADMITTED) {
                        if (is_abandoned()) /* it may have waited */
                                return service_end_with(PREFORK_EXIT_ORPHANED);
                        lingering_end(&service.lingering);
                        forget_signals(); /* before the first that can be an order about the request */
                        uint64_t now_ns = sys_now_ns();
                        atomic_store(&service.note->begun_ns, now_ns);
                        request_begin(&service.desk, now_ns);
                        service_hold_connection(connection);
                        return connection;
                }
                admission_refuse(&service.gate, &service.desk, &refusal, &service.lingering);
        }
}
