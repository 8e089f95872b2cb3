/* Reads a configuration in a child process with a deadline: an NFS mount or an LDAP look-up that hangs blocks the
 * child, not the master. The child returns the configuration in canonical form, or the problems. Owned by
 * reload/reload_queue. */
#pragma once

#include "logic/config/config.h"
#include "master/config/config_reader.h"
#include "os/process/signals.h"

struct config_child;
struct evloop;
struct reaper;

/* All members are borrowed and must outlive the child. */
struct config_child_setup {
        struct evloop *loop;
        struct reaper *reaper;
        const struct signals_taken *signals; /* restored in the child before it reads anything */
        const struct config_source *source;
};

/* Called once, in a later turn of the loop, when the child has been reaped and the struct config_child is freed. If the
 * configuration is refused, `config` is NULL and `problems` say why. Otherwise the callee owns `config`, and `problems`
 * are warnings. If the read was cancelled, `problems` is NULL. */
typedef void (*config_child_callback)(void *context, struct config *config, struct problem_list *problems);

/* Start the child. 0 or -errno. */
int config_child_start(const struct config_child_setup *setup, config_child_callback callback, void *context,
                       struct config_child **ret);

/* Kill the child. The callback is still called when the child has been reaped. NULL is fine. */
void config_child_cancel(struct config_child *load);

/* Free it without a callback, when the loop has ended; NULL is fine. */
void config_child_free(struct config_child *load);
