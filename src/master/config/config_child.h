/* A configuration being read, by a child with a deadline: whatever hangs in it (an NFS mount, an LDAP look-up) hangs
 * there, not in the master. The child hands back the effective configuration in canonical form, or the problems. */
#pragma once

#include "logic/config/config.h"
#include "master/config/config_reader.h"
#include "os/process/signals.h"

struct config_child;
struct evloop;
struct reaper;

/* All borrowed; must outlive the child. */
struct config_child_setup {
        struct evloop *loop;
        struct reaper *reaper;
        const struct signals_taken *signals; /* given back before anything is read */
        const struct config_source *source;
};

/* Called once, at a later turn of the loop, when the child has ended and the struct config_child is gone. `config` is
 * NULL when the configuration is refused; then `problems` say why. Otherwise it is the callee's to keep, and `problems`
 * are warnings. `problems` NULL: it was cancelled. */
typedef void (*config_child_callback)(void *context, struct config *config, struct problem_list *problems);

/* Begin to read. 0 or -errno. */
int config_child_start(const struct config_child_setup *setup, config_child_callback callback, void *context,
                       struct config_child **ret);

/* Give up: kills the child. The callback is called all the same, when it has been reaped. NULL is fine. */
void config_child_cancel(struct config_child *load);

/* Free one that nobody waits for any more, for the end of the loop; NULL is fine. */
void config_child_free(struct config_child *load);
