/* libprefork: the functions of prefork/worker.h, over the slot, the acceptor and the door, as the built-in worker uses
 * them. Called by programs; libprefork(3) is their contract. */
#include "prefork/worker.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/acceptor.h"
#include "lib/attach.h"
#include "lib/door.h"
#include "lib/refusal.h"
#include "lib/sys.h"

struct prefork_worker {
        struct attachment attachment;
        struct request_desk desk;
        struct acceptor acceptor;
        int *listeners;
        bool ready;   /* it has waited for a connection once */
        bool waiting; /* it is in the idle set: prefork_accept() returned -EINTR */
        bool serving; /* a request is open */
        bool ending;  /* it must not wait again */
};

static int open_acceptor(struct prefork_worker *worker)
{
        const struct attachment *attachment = &worker->attachment;
        size_t count = attachment->values[ATTACH_LISTEN_FDS];

        worker->listeners = calloc(count, sizeof(*worker->listeners));
        if (!worker->listeners)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++)
                worker->listeners[i] = (int)(attachment->values[ATTACH_LISTEN_FD] + i);
        sys_block_signal(DOOR_SIGNAL, true);
        int r = acceptor_open(&worker->acceptor, worker->listeners, count, (pid_t)attachment->values[ATTACH_MASTER_PID],
                              (unsigned)attachment->values[ATTACH_ORPHAN_TIMEOUT_MS]);
        worker->acceptor.returns_on_signals = true;
        sys_block_signal(DOOR_SIGNAL, true);
        return r;
}

/* The door, once installed, uses the list of listeners for as long as the process lives. */
static void worker_free(struct prefork_worker *worker)
{
        if (worker->desk.slot.board)
                attach_give_back(&worker->attachment, &worker->desk);
        if (worker->acceptor.count > 1) {
                sys_close(worker->acceptor.epoll_fd);
                sys_close(worker->acceptor.signal_fd);
        }
        if (!door_is_installed())
                free(worker->listeners);
        free(worker);
}

int prefork_attach(struct prefork_worker **ret)
{
        if (door_is_installed())
                return -EALREADY;
        struct prefork_worker *worker = calloc(1, sizeof(*worker));
        if (!worker)
                return -ENOMEM;
        int r = attach_read(environ, getpid(), &worker->attachment);
        if (r == 0 && getppid() != (pid_t)worker->attachment.values[ATTACH_MASTER_PID])
                r = -ESRCH;
        if (r == 0)
                r = attach_take(&worker->attachment, &worker->desk);
        if (r == 0)
                r = open_acceptor(worker);
        if (r < 0) {
                worker_free(worker);
                return r;
        }
        attach_forget(environ);
        atomic_store(&worker->desk.slot.words->attached, PREFORK_ATTACHED_PROGRAM);
        *ret = worker;
        return 0;
}

void prefork_done(struct prefork_worker *worker)
{
        if (worker->serving)
                request_end(&worker->desk, sys_now_ns(), 0, 0);
        worker->serving = false;
}

/* Join the idle set. False: the worker must end. */
static bool get_ready(struct prefork_worker *worker)
{
        prefork_done(worker);
        if (!worker->ready)
                slot_ready(&worker->desk.slot, sys_now_ns());
        else if (!worker->waiting && !request_next(&worker->desk))
                return false;
        worker->ready = worker->waiting = true;
        return true;
}

/* Wait, with the retire signal unblocked, for a connection that max_connections_per_source and queue_timeout admit. */
static int wait_for_one(struct prefork_worker *worker, struct address *ret_peer, int *ret_fd)
{
        for (;;) {
                int r = acceptor_wait(&worker->acceptor, ret_peer, ret_fd);
                if (r == 0 && request_admit(&worker->desk, request_source(&worker->desk, ret_peer, *ret_fd), ret_peer,
                                            *ret_fd) == REQUEST_ADMITTED)
                        return 0;
                if (r == 0)
                        refusal_close(*ret_fd);
                else if (r != -EINTR && (acceptor_is_shortage(r) || acceptor_is_passing(r)))
                        acceptor_pause(&worker->acceptor);
                else
                        return r;
        }
}

static void store_address(const struct address *peer, struct sockaddr *to, socklen_t *length)
{
        if (to && length && *length > 0)
                memcpy(to, &peer->any, MIN_OF(*length, peer->length));
        if (length)
                *length = peer->length;
}

int prefork_accept(struct prefork_worker *worker, struct sockaddr *peer, socklen_t *length)
{
        struct address from;
        int connection;

        if (worker->ending || !get_ready(worker)) {
                worker->ending = true;
                slot_ending(&worker->desk.slot);
                return -ESHUTDOWN;
        }
        sys_block_signal(DOOR_SIGNAL, false);
        int r = wait_for_one(worker, &from, &connection);
        sys_block_signal(DOOR_SIGNAL, true);
        if (r == -EINTR)
                return r;
        worker->waiting = false;
        if (r < 0) {
                worker->ending = true;
                slot_ending(&worker->desk.slot);
                return r;
        }
        request_begin(&worker->desk, sys_now_ns());
        worker->serving = true;
        store_address(&from, peer, length);
        return connection;
}

int prefork_retiring(const struct prefork_worker *worker)
{
        return worker->ending || door_is_closed() || sys_signal_is_pending(DOOR_SIGNAL) ||
               recycling_was_granted(&worker->desk.recycling, &worker->desk.slot);
}

void prefork_detach(struct prefork_worker *worker)
{
        if (!worker)
                return;
        prefork_done(worker);
        slot_ending(&worker->desk.slot);
        worker_free(worker);
}
