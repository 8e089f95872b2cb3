/* Whether there is room for the process of a handler beside its worker.
 *
 * Called by the runtimes of inetd-style programs, before a worker is ready. A worker that finds none would only hold a
 * connection that it cannot serve, and take up what the handlers of other workers need. So a pool does not grow beyond
 * that: the start fails, and the pool backs off. */
#pragma once

/* Look for room; others may just be starting or looking, too, so wait for a moment. 0; -EAGAIN: there is none; -errno
 * of vfork(2). */
int room_wait(void);
