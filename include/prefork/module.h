/* Modules: handlers that are loaded into the workers of a pool (handler_type = module). Public interface, version 1.
 *
 * A module is a shared object that defines one symbol, `prefork_module`:
 *
 *     static int serve(void *state, const struct prefork_request *request)
 *     {
 *             return dprintf(request->connection, "hello\n") < 0 ? -errno : 0;
 *     }
 *
 *     PREFORK_MODULE_EXPORT const struct prefork_module prefork_module = {
 *             PREFORK_MODULE_HEADER, .name = "hello", .serve = serve,
 *     };
 *
 * A worker loads it after it has dropped its credentials, calls init() once, serve() for each connection, one at a
 * time (see PREFORK_MODULE_THREAD_SAFE), and done() when it ends in an orderly way. preforkd-module(7) is the manual.
 *
 * What must stay true: a member keeps its place and its meaning. New members are added at the ends of the structures,
 * whose sizes tell old from new. Any other change makes another PREFORK_MODULE_ABI. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PREFORK_MODULE_ABI 1

/* The name of the symbol. */
#define PREFORK_MODULE_SYMBOL "prefork_module"
#define PREFORK_MODULE_EXPORT __attribute__((visibility("default")))

/* What a module says of itself, in `flags`. */
enum {
        /* serve() also serves datagrams: the pool may listen on udp: and unixgram: addresses. */
        PREFORK_MODULE_DATAGRAMS = 1 << 0,

        /* serve() may be called by several threads at once: the pool may have threads_per_worker. */
        PREFORK_MODULE_THREAD_SAFE = 1 << 1,
};

/* One connection, or one datagram. It is valid until serve() returns. Members are only read. */
struct prefork_request {
        uint32_t size;      /* of this structure in the worker; a module that is newer than it looks here */
        int32_t connection; /* a connected stream socket, blocking and close-on-exec; the worker closes it; -1: it is a
                             * datagram */

        /* The client's address, as accept(2) gave it, or as a proxy announced it; UNIX clients mostly have no name. */
        const struct sockaddr *peer;
        socklen_t peer_length;

        /* The address that the client has connected to, and its length; NULL: it is not known. It is looked up by the
         * first call, so that a request that does not ask does not pay for it. */
        const struct sockaddr *(*local)(const struct prefork_request *request, socklen_t *ret_length);

        /* True if this request shall end now, because it has taken longer than request_timeout. The connection has been
         * shut down (shutdown(2)), so that whoever reads from it or writes to it finds out. Ask wherever something else
         * is waited for or takes long: kill_timeout later the worker is killed. A signal has interrupted what can be
         * interrupted (EINTR). Async-signal-safe. */
        bool (*interrupted)(const struct prefork_request *request);

        /* The datagram; NULL: it is a connection. Only for modules with PREFORK_MODULE_DATAGRAMS. */
        const void *datagram;
        size_t datagram_length;

        /* Send an answer to the sender of the datagram, from the address that it was sent to; as often as wanted. 0; or
         * -errno of sendmsg(2); -EDESTADDRREQ: the sender, a UNIX socket, has no address; -EINTR: it does not read, and
         * this request shall end. */
        int (*answer)(const struct prefork_request *request, const void *bytes, size_t length);
};

/* What a module defines. Everything it points to lives as long as the module. */
struct prefork_module {
        uint32_t abi;     /* PREFORK_MODULE_ABI */
        uint32_t size;    /* sizeof(struct prefork_module) */
        uint64_t flags;   /* PREFORK_MODULE_…; 0: none */
        const char *name; /* for people */

        /* Prepare, once a worker. `argv` are the words of the pool's `handler`: argv[0] is the module's file,
         * argv[argc] is NULL; they live as long as the process. Whatever is stored in *ret_state is passed to the
         * others. 0; or -errno: the worker cannot serve and ends, which makes the pool back off. May be NULL. */
        int (*init)(int argc, char *const *argv, void **ret_state);

        /* Serve one connection or datagram. 0; or -errno: the request has failed, which is counted and logged. The
         * worker closes `request->connection` afterwards either way; a copy (dup(2)) that stays open keeps the client
         * waiting. */
        int (*serve)(void *state, const struct prefork_request *request);

        /* Free the state of a successful init(), when the worker ends after a retirement or is recycled. May be NULL.
         */
        void (*done)(void *state);
};

/* The first members of every module. */
#define PREFORK_MODULE_HEADER .abi = PREFORK_MODULE_ABI, .size = (uint32_t)sizeof(struct prefork_module)

#ifdef __cplusplus
}
#endif
