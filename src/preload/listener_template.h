/* A template of a program that accepts connections itself: it starts as it always does, stops at its first wait for a
 * connection, and each worker that is made of it goes on from there, as the program. A worker that the master has
 * chosen becomes the next template when it has served so many requests (snapshot_after).
 *
 * Called by the constructor of the preload object. What must stay true: a template holds no listener of the pool once
 * it has stopped; a worker has those that came with its order, on the numbers where the program looks for them. What
 * the program has open and a fork cannot have is refused by name. */
#pragma once

/* In the constructor, after service_prepare(). Ends the process if that cannot be. */
void listener_template_begin(void);
