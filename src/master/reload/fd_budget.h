/* The descriptors the master needs for a configuration, and the limit raised to that: part of a reload's phase one. */
#pragma once

#include "logic/config/config.h"
#include "master/daemon/daemon.h"

/* See to it that the pools of `config`, beside what is there now and may stay for a while, find descriptors enough. 0, or
 * -errno with a problem that has the numbers: the limit cannot be raised that far. */
int fd_budget_raise(const struct daemon *daemon, const struct config *config, struct problem_list *problems);

/* The same question, and nothing changes. */
int fd_budget_try(const struct daemon *daemon, const struct config *config, struct problem_list *problems);
