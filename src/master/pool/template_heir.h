/* The heir of a pool's template: the worker that becomes the next one when it has served as many requests as
 * snapshot_after says. Until then it is a worker like others; afterwards all are replaced by forks of it.
 *
 * Called by launcher_template. What must stay true: a pool has one heir at most, and none once its template has served;
 * without an heir, or if it dies or cannot be copied, the pool serves as before. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pool;
struct template;
struct template_launch;
struct template_setup;

/* Before an order to `present`: if the pool wants an heir, that launch's worker will be it. A failure means only that
 * it is not. `setup` is what the template has later; the callbacks about heirs are set here. */
void template_heir_expect(struct pool *pool, struct template_setup *setup, const struct template *present,
                          struct template_launch *launch);

/* The launch of that number has a worker, or (0) has failed. */
void template_heir_launched(struct pool *pool, uint32_t launch, pid_t pid);

/* In the turns: forget it if it is of a former generation, or if none is wanted any more. It serves on. */
void template_heir_tend(struct pool *pool, bool is_over);
