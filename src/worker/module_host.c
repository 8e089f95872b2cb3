#include "worker/module_host.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "lib/door.h"
#include "os/net/connection.h"
#include "os/process/fork_mark.h"
#include "os/process/resource.h"
#include "worker/handler_environment.h"
#include "lib/orders.h"

/* Where in the module this thread is. A longjmp(3) can leave it by another way than it went in. */
enum place { OUTSIDE, IN_INIT, IN_SERVE };

struct module_host {
        const struct pool_config *pool;
        const struct prefork_module *module; /* NULL: init() was not called, or has failed */
        void *state;
        struct handler_environment *environment;
        struct fork_mark mark;
        pthread_key_t key; /* whose value is lost when the module ends a thread of ours */
        bool may_change_user;
        uid_t uid;
};

/* What must be the same after each request of this thread. */
static _Thread_local struct {
        bool known;    /* the next two are filled in */
        sigset_t mask; /* the thread's signal mask */
        struct sigaction on_retire;
        uint64_t served; /* requests */
} kept;

/* The request that this thread serves, for signal handlers. */
static _Thread_local struct present {
        volatile sig_atomic_t connection; /* -1: none */
        volatile sig_atomic_t interrupted;
        struct connection_id id;
        volatile enum place place;
} present = {.connection = -1};

struct request {
        struct prefork_request public;
        const struct present *present; /* of its thread: the module may ask in another */
        struct address local;          /* length 0: not looked up yet */
        const struct datagram *datagram;
};

static bool is_interrupted(const struct prefork_request *request)
{
        return ((const struct request *)request)->present->interrupted != 0;
}

static const struct sockaddr *find_local(const struct prefork_request *public, socklen_t *ret_length)
{
        struct request *request = (struct request *)(uintptr_t) public; /* const for the module alone */
        struct address *local = &request->local;

        if (local->length == 0) {
                local->length = sizeof(local->un);
                if (getsockname(public->connection, &local->any, &local->length) < 0)
                        local->length = 0;
        }
        *ret_length = local->length;
        return local->length > 0 ? &local->any : NULL;
}

static int answer(const struct prefork_request *public, const void *bytes, size_t length)
{
        const struct request *request = (const struct request *)public;

        int r;

        if (!request->datagram)
                return -ENOTCONN;
        do
                r = datagram_answer(request->datagram, bytes, length);
        while (r == -EINTR && !present.interrupted); /* a client that reads nothing shall not outlast the deadline */
        return r;
}

/* If limit_nofile is not set, the limit that preforkd was started with, as for a program. */
static int set_limits(const struct worker_plan *plan)
{
        for (enum limit i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_value *limit = &plan->pool->limits[i];
                const struct rlimit value =
                        limit->set ? (struct rlimit){limit->soft, limit->hard} : plan->original->of[RESOURCE_NOFILE];
                if (!limit->set && i != LIMIT_NOFILE)
                        continue;
                if (setrlimit((__rlimit_resource_t)limit_resource(i), &value) < 0)
                        return -errno;
        }
        return 0;
}

int module_host_new(const struct worker_plan *plan, struct module_host **ret)
{
        const struct pool_config *pool = plan->pool;
        const struct words variables = secret_words_view(&pool->environment);
        struct module_host *host = calloc(1, sizeof(*host));

        if (!host)
                return -ENOMEM;
        host->pool = pool;
        host->mark = fork_mark_make();
        host->uid = geteuid();
        host->may_change_user = host->uid == 0;
        int r = set_limits(plan);
        if (r == 0)
                r = handler_environment_new(&variables, pool->clear_environment ? NULL : environ, &host->environment);
        if (r < 0) {
                module_host_end(host);
                return r;
        }
        environ = handler_environment_fixed(host->environment);
        tzset(); /* the master may have read its own TZ, and localtime_r(3) does not look again */
        *ret = host;
        return 0;
}

/* This process is a copy that the module has forked, and that came back instead of ending: it must not go on as a
 * worker. */
static void end_if_copy(const struct module_host *host)
{
        if (!fork_mark_is_here(&host->mark))
                _exit(EXIT_SUCCESS);
}

/* The module came back from a call by another way than it went in: what the stack holds now is not what we left. */
static void check_place(enum place expected)
{
        if (present.place != expected)
                _exit(PREFORK_EXIT_START_FAILED);
        present.place = OUTSIDE;
}

/* The module has ended our thread, with pthread_exit(3). Without it the worker would stay, and serve nobody. */
static void on_thread_end(void *context)
{
        end_if_copy(context);
        log_error("the module has ended the thread of its worker");
        _exit(EXIT_FAILURE);
}

int module_host_start(struct module_host *host, const struct prefork_module *module)
{
        const struct words *words = &host->pool->handler;

        int r = -pthread_key_create(&host->key, on_thread_end);
        if (r == 0)
                r = -pthread_setspecific(host->key, host);
        if (r < 0)
                return r;
        present.place = IN_INIT;
        if (module->init)
                r = module->init((int)words->count, words->list, &host->state);
        end_if_copy(host);
        check_place(IN_INIT);
        if (r != 0) {
                r = r < 0 ? r : -r;
                log_error("the module \"%s\" cannot start: %s", host->pool->handler.list[0], strerror(-r));
                return r;
        }
        host->module = module;
        return 0;
}

int module_host_enter(void *runtime)
{
        struct module_host *host = runtime;

        return -pthread_setspecific(host->key, host);
}

void module_host_leave(void *runtime)
{
        const struct module_host *host = runtime;

        pthread_setspecific(host->key, NULL);
}

/* Before the first request of this thread: what must be the same after each. While the module runs, the retire signal
 * restarts what it interrupts, if the kernel can, and so does not cut reads short; an order interrupts. What cannot be
 * read is left as it is, and read before the next request. */
static void learn_signals(void)
{
        struct sigaction on_retire, on_order;

        if (sigprocmask(SIG_SETMASK, NULL, &kept.mask) < 0 || sigaction(DOOR_SIGNAL, NULL, &on_retire) < 0 ||
            sigaction(SIGUSR1, NULL, &on_order) < 0)
                return;
        on_retire.sa_flags |= SA_RESTART;
        sigaction(DOOR_SIGNAL, &on_retire, NULL);
        on_order.sa_flags &= ~SA_RESTART;
        sigaction(SIGUSR1, &on_order, NULL);
        kept.on_retire = on_retire;
        kept.known = true;
}

/* A worker whose retire signal is blocked, or has another handler, would accept connections until it is killed. A mask
 * is forgotten on some rare path of a module, so look after each request. A handler is set up at the start of
 * something, so look after the first, second, fourth, eighth … request. */
static void restore_signals(void)
{
        struct sigaction now;

        if (!kept.known)
                return;
        sigprocmask(SIG_SETMASK, &kept.mask, NULL);
        if ((kept.served & (kept.served - 1)) == 0 && sigaction(DOOR_SIGNAL, NULL, &now) == 0 &&
            now.sa_handler != kept.on_retire.sa_handler)
                sigaction(DOOR_SIGNAL, &kept.on_retire, NULL);
}

/* What the module has done to this process that a worker cannot undo. 0 or a positive errno. */
static int find_damage(const struct module_host *host)
{
        uid_t real, effective, saved;

        if (!host->may_change_user || getresuid(&real, &effective, &saved) < 0 ||
            (real == host->uid && effective == host->uid && saved == host->uid))
                return 0;
        log_error("the module has changed the user of its worker, which ends now");
        return EPERM;
}

static struct runtime_outcome outcome_of(const struct module_host *host, int result)
{
        int error = result < 0 ? -result : result;

        return (struct runtime_outcome){.status = MIN_OF(error, UINT8_MAX) << 8, /* as of an exit code */
                                        .error = error,
                                        .failure = find_damage(host),
                                        .connection = -1};
}

/* What a request of either kind has of the worker. */
static void begin_request(struct request *request, int connection, const struct address *peer)
{
        request->public = (struct prefork_request){.size = sizeof(request->public),
                                                   .connection = connection,
                                                   .peer = &peer->any,
                                                   .peer_length = peer->length,
                                                   .local = find_local,
                                                   .interrupted = is_interrupted,
                                                   .answer = answer};
        request->local.length = 0;
        request->datagram = NULL;
        request->present = &present;
}

/* Call the module; what it returns. */
static int call(struct module_host *host, const struct request *request)
{
        if (!kept.known)
                learn_signals();
        present.interrupted = 0;
        present.connection = request->public.connection;
        present.place = IN_SERVE;
        orders_look(); /* for an order that came before there was something to interrupt */
        int result = host->module->serve(host->state, &request->public);
        present.connection = -1;
        end_if_copy(host);
        check_place(IN_SERVE);
        kept.served++;
        restore_signals();
        return result;
}

int module_host_serve(void *runtime, int connection, const struct client *client, struct runtime_outcome *ret)
{
        struct module_host *host = runtime;
        struct request request;

        begin_request(&request, connection, &client->peer);
        present.id = connection_identify(connection, client_socket_peer(client));
        int result = call(host, &request);
        *ret = outcome_of(host, result);
        if (connection_is(connection, &present.id)) /* otherwise the module has closed it, and may have its number */
                ret->connection = connection;
        return 0;
}

int module_host_serve_datagram(void *runtime, const struct datagram *datagram, struct runtime_outcome *ret)
{
        struct module_host *host = runtime;
        struct request request;

        begin_request(&request, -1, &datagram->sender);
        request.datagram = datagram;
        request.local = datagram->local;
        request.public.datagram = datagram->bytes;
        request.public.datagram_length = datagram->length;
        *ret = outcome_of(host, call(host, &request));
        return 0;
}

int module_host_interrupt(int signal_number)
{
        int connection = present.connection;

        if (signal_number != SIGTERM || present.place != IN_SERVE)
                return 0;
        present.interrupted = 1;
        if (connection >= 0 && connection_is(connection, &present.id))
                shutdown(connection, SHUT_RDWR);
        return 0;
}

void module_host_end(void *runtime)
{
        struct module_host *host = runtime;

        if (host->module && host->module->done)
                host->module->done(host->state);
        /* The environment stays: environ points to it. */
        if (!host->environment || environ != handler_environment_fixed(host->environment))
                handler_environment_free(host->environment);
        free(host);
}
