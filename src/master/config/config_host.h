/* What a start would find on this machine: programs, directories, privileges, addresses. Without trying, a pool would
 * find out for every connection, or for every worker. Called by config_reader alone; may wait for file systems. */
#pragma once

#include "logic/config/config.h"

/* Check every pool of a finished configuration, whose accounts are resolved. What a worker could not do is an error,
 * what it perhaps could a warning. Records which directories `directory` and `root_directory` lead to. 0 or -ENOMEM. */
int config_host_check(bool is_test, struct config *config, struct problem_list *problems);
