/* The purpose of a worker. A worker has one at a time; the master sets it at the launch, and again when a replacement
 * or a worker of a roll becomes an ordinary worker (WORKER_SERVE). Pure. */
#pragma once

enum worker_purpose {
        WORKER_SERVE,   /* an ordinary worker: serves the pool's listeners */
        WORKER_REFUSE,  /* refuser: closes connections that a full pool cannot accept; outside all limits */
        WORKER_DRAIN,   /* helper: serves closing listeners only */
        WORKER_REPLACE, /* serves; started for a worker that is being recycled, which goes when this one is ready */
        WORKER_ROLL,    /* serves; started by a roll, and no older worker was retired for it yet */
        WORKER_PURPOSE_COUNT
};

/* "serve", "refuse", … for the hand-over and status. "unknown" for a number outside the enum. */
const char *worker_purpose_name(enum worker_purpose purpose);
