/* A pool on this machine: what the files have in common that check what a start would find here. Included by
 * config_host and its parts alone. */
#pragma once

#include "logic/config/config.h"
#include "os/process/executable.h"

struct host {
        struct pool_config *pool;
        struct problem_list *problems;
        struct executable_place place;
        const char *user;        /* ` as user "nobody"`, or nothing */
        const char *consequence; /* what happens in spite of a problem, which is a warning then; NULL: nothing does */
};

/* `OPTION: …` at the place where it was set, or else where the pool begins. */
void host_report(const struct host *host, bool warning, enum pool_option option, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
