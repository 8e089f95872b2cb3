/* Programs that are executed in place of their worker: what the runtimes of both kinds have in common. The program
 * finds its slot by variables of the environment (lib/attach) and descriptors under numbers that these name.
 *
 * Called by runtime_listener and runtime_template, in a worker that serves nothing yet. What must stay true: an exec
 * that fails leaves a worker that can still say why. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/words.h"
#include "lib/attach.h"
#include "logic/protocol/worker_plan.h"
#include "worker/handler_environment.h"
#include "worker/handler_limits.h"

/* A descriptor of the worker, and the number that the program finds it under. */
struct passed {
        int fd, target;
};

struct in_place_program {
        const struct worker_plan *plan;
        char *path;
        struct handler_limits limits; /* a template's are those of its copies */
};

/* For runtime_ops: find the program of the pool, as it is executed, and plan its limits. *ret is then a struct
 * in_place_program, which in_place_end() frees. 0 or -errno. The master's records are not read. */
int in_place_prepare(const struct worker_plan *plan, int log_read_fd, void **ret);
void in_place_end(void *runtime);

/* The descriptors that a template has of ours, and the lowest number of them: above those that a program opens while it
 * starts. The preload object moves them when it has stopped the program. */
#define IN_PLACE_FIRST_OWN_FD 64
enum in_place_own {
        IN_PLACE_OWN_TEMPLATE,
        IN_PLACE_OWN_LOG,
        IN_PLACE_OWN_ACCESS, /* if the pool asks something of its clients */
        IN_PLACE_OWN_COUNT
};

/* Execute it. Returns only -errno. */
int in_place_execute(const struct in_place_program *program, struct handler_environment *environment);

/* Add NAME=VALUE. 0 or -ENOMEM. */
int in_place_add_number(struct words *variables, const char *name, uint64_t value);

/* The same for a variable of lib/attach. */
int in_place_attach(struct words *variables, enum attach_variable variable, uint64_t value);

/* Add the variables that templates have as well: of this process and its master. 0 or -ENOMEM. */
int in_place_attach_process(const struct worker_plan *plan, struct words *variables);

/* Add the variables that every attached program has, for a scoreboard and a wake pipe at `above` and `above` + 1, and
 * what tells its memory at `above` + 2 unless `statm_fd` is negative. 0 or -ENOMEM. */
int in_place_attach_slot(const struct worker_plan *plan, int above, int statm_fd, struct words *variables);

/* Add the variables of a template that stops there; its own descriptors are at `above` and the next. All symbols are
 * looked up before the stop, once, and not in every copy, unless the user decides about it. 0 or -ENOMEM. */
int in_place_attach_template(const struct worker_plan *plan, int above, enum attach_stop stop, struct words *variables);

/* Add LD_PRELOAD: the preload object comes first; what the pool or preforkd's own environment preloads stays. */
int in_place_add_preload(const struct worker_plan *plan, struct words *variables);

/* Give each descriptor its number; all targets are below `beyond`. *ret_log is a copy of the pipe for records, which
 * closes at the exec; in_place_failed() puts it back. 0 or -errno. */
int in_place_pass(const struct worker_plan *plan, struct passed *list, size_t count, int beyond, int *ret_log);
void in_place_failed(const struct worker_plan *plan, int log_fd);

/* Until the program reports, an end of the master ends it by that signal: it has no connection yet. The signals of
 * `blocked` stay blocked for it. What has come of the others already, and was blocked, ends this process instead: the
 * handler that it has from the master would swallow it. 0; -ESRCH: the master has died; -errno. */
int in_place_set_signals(const struct worker_plan *plan, int number, const sigset_t *blocked);
