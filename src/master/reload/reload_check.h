/* The dry run of a reload: the changes of each pool, and the problems that the participants can find without visible
 * effects. preforkctl(1) lists the problems that only phase one finds. Called by reload_queue. */
#pragma once

#include "master/reload/reload.h"

/* Find out what reload_apply() would do with `config`; nothing is opened or changed. If it would be refused, `problems`
 * has errors; otherwise `changes` lists the changes of each pool. */
void reload_check(const struct reload *reload, struct config *config, struct problem_list *problems,
                  struct reload_changes *changes);
