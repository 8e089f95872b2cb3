/* The dry run of a reload: what would become of each pool, and what would refuse it, as far as the participants can
 * find that out without anybody noticing. What phase one alone finds out is said in preforkctl(1). */
#pragma once

#include "master/reload/reload.h"

/* What would reload_apply() do with `config`? Nothing is opened or changed. `problems` say why it would be refused, if
 * they have errors; else `changes` what it would mean to each pool. */
void reload_check(const struct reload *reload, struct config *config, struct problem_list *problems,
                  struct reload_changes *changes);
