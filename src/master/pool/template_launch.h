/* A worker that is to be made of a template: it waits for one, or for the answer to the order. Called by
 * launcher_template, whose pool owns the list. */
#pragma once

#include <stdint.h>

#include "lib/template_words.h"

struct template;
struct worker;
struct worker_plan;

struct template_launch {
        struct template_launch *next;
        struct worker *worker;
        uint32_t number;
        const struct template *template; /* that was ordered to; NULL: none yet */
        /* Of the order, as far as they are the launch's own; -1. The writing end of the worker's pipe is kept until the
         * answer: without it, the end of a template would be the end of the output. */
        int fds[TEMPLATE_FD_COUNT];
};

/* Add one behind the others. 0; -ENOMEM; others of fcntl(2). */
int template_launch_add(struct template_launch **list, struct worker *worker, const struct worker_plan *plan,
                        uint32_t number);

/* Remove it from the list, and free it. */
void template_launch_remove(struct template_launch **list, struct template_launch *launch);

/* The one of that number that was ordered to that template, or NULL. */
struct template_launch *template_launch_find(struct template_launch *list, const struct template *template,
                                             uint32_t number);
