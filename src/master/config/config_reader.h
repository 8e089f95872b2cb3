/* Reading a configuration, with everything that may hang in it: files, directories, user look-ups. Waits as long as it
 * takes, so it is called by the configuration child, and by `preforkd -t` and `-T`; never in the master itself. */
#pragma once

#include "logic/config/config.h"

/* Where the configuration comes from: a file (with pools.d beside it), or the options of the command-line form. */
struct config_source {
        const char *file;           /* NULL: the command-line form */
        const char *const *options; /* key, value, key, value …, NULL */
};

/* What the rules depend on, of this process; problems speak of files. */
struct config_context config_reader_context(void);

/* Read the source (a file, then pools.d/<name>.conf beside it in the order of their names; or the command line's
 * options), resolve users and groups to ids, complete environments, look for the handlers' programs, and check every
 * rule. All problems are reported; *ret is owned by the caller and complete only if none refuses. 0 or -ENOMEM. */
int config_read(const struct config_source *source, struct config *ret, struct problem_list *problems);
