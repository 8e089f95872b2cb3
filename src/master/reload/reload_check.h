/* The dry run of a reload: what would become of each pool, and what would refuse it, as far as that can be found out without
 * anybody seeing it. Phase one of master/reload is the pattern; what is checked there alone is said in preforkctl(1). */
#pragma once

#include "logic/config/config.h"
#include "master/daemon/daemon.h"

struct reload_changes;

/* What would reload_apply() do with `config`? Nothing is opened or changed. `problems` say why it would be refused, if they
 * have errors; else `changes` what it would mean to each pool. */
void reload_check(struct daemon *daemon, const struct config *config, struct problem_list *problems,
                struct reload_changes *changes);
