/* The launcher operations for workers that are made of the pool's template, and all that is decided about templates:
 * one for each generation, started when the first worker is wanted, renewed when it has ended, ended with its
 * generation.
 *
 * Called by launcher, in the pool's turns, and before an upgrade. */
#pragma once

#include <stdbool.h>

struct launcher_ops;
struct pool;

extern const struct launcher_ops launcher_template;

/* At the beginning of a turn: launches that no template has been ordered to carry out are of the present generation,
 * unless a restart has given the pool another scoreboard: their slots are in the former one. */
void launcher_template_note_generation(const struct pool *pool);

/* At the end of a turn: cancel launches that are not wanted any more, end templates of former generations, start what
 * is missing, send orders. */
void launcher_template_tend(struct pool *pool);

/* The program is about to be replaced, with no order in flight: end all templates and whatever they have made. The next
 * program starts its own. */
void launcher_template_leave(struct pool *pool);
