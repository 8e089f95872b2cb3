/* Copies of a stopped program by rollback (preload/rollback): each connection gets a process in the worker's memory,
 * which is put back afterwards. The service of preload/service, as the host of that.
 *
 * Called by preload/copies and preload/snapshot, at the stop. */
#pragma once

/* As copies_run(), after service_begin(). For a program that was stopped before main(). */
char **copies_rollback_run(char **environment);

/* The same for a program that goes on at `point`, by enter(point). */
_Noreturn void copies_rollback_run_at(void *point, void (*enter)(void *point));
