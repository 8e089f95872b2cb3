/* Reads a configuration, including everything that may block: files, directories, user look-ups. It is called by the
 * configuration child and by `preforkd -t` and `-T`, never by the master itself. */
#pragma once

#include "logic/config/config.h"

/* Where the configuration comes from: a file (with pools.d beside it), or the options of the command-line form. */
struct config_source {
        const char *file;           /* NULL: the command-line form */
        const char *const *options; /* key, value, key, value …, NULL */
};

/* What the rules depend on in this process; problems name files and lines. */
struct config_context config_reader_context(void);

/* Read the source (a file, then pools.d/<name>.conf beside it in the order of their names; or the command line's
 * options), resolve users and groups to ids, complete environments, check that the handlers' programs exist, and check
 * every rule. All problems are reported. The caller owns *ret, which is complete only if no problem refuses it. 0 or
 * -ENOMEM. */
int config_read(const struct config_source *source, struct config *ret, struct problem_list *problems);
