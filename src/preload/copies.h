/* Copies of a program that was stopped, by fork: one is made ahead and waits for a connection in the worker's place; it
 * goes on into the program, and the worker waits for its end.
 *
 * Called at the stop. What must stay true: a connection that is accepted is served, or the failure is reported; a copy
 * that ends before it has one ends its worker, so that nothing spins. */
#pragma once

/* In a template: wait for orders, and return in each worker that is made for one, with all signals blocked. */
void copies_make_workers(void);

/* The same, and the worker is ready to make copies (service_begin()). */
void copies_begin(char **environment);

/* The same, and serve connections until the worker must end. Returns in each copy, which has its connection where the
 * program expects it, and all signals blocked; the result is its environment, `environment` and the variables of the
 * connection, or NULL if that was NULL. */
char **copies_run(char **environment);
