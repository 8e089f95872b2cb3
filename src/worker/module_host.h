/* What is around a module in a worker: its environment and limits, its calls, and what it may have done to the process.
 *
 * Used by the runtimes whose handler is in the worker's own process: worker/runtime_module, which loads it, and
 * worker/runtime_builtin. The state of a request is static, one for each thread, because a signal handler calls
 * module_host_interrupt().
 *
 * What must stay true: nobody's descriptor but the connection's own is closed; a copy of the worker that the module has
 * forked does nothing in the worker's name; after a request the worker can be retired. */
#pragma once

#include "prefork/module.h"
#include "worker/runtime.h"

struct module_host;

/* Give this process the pool's environment and limits, for what is loaded or started next. 0 or -errno (setrlimit(2),
 * -ENOMEM); the host is the caller's to free with module_host_end(). */
int module_host_new(const struct worker_plan *plan, struct module_host **ret);

/* Call the module's init(). 0; or -errno, after logging it. */
int module_host_start(struct module_host *host, const struct prefork_module *module);

/* Operations for the table of runtimes. */
int module_host_serve(void *host, int connection, const struct client *client, struct runtime_outcome *ret);
int module_host_serve_datagram(void *host, const struct datagram *datagram, struct runtime_outcome *ret);
int module_host_interrupt(int signal_number);
int module_host_enter(void *host);
void module_host_leave(void *host);
void module_host_end(void *host);
