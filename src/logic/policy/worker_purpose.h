/* What a worker is for. One enum, because a worker is for one thing at a time; the master writes it at the launch, and
 * when a replacement or a worker of a roll becomes one like any other. Pure. */
#pragma once

enum worker_purpose {
        WORKER_SERVE,   /* serves the pool's listeners, and counts for itself alone */
        WORKER_REFUSE,  /* closes connections that a full pool cannot take; outside all limits */
        WORKER_DRAIN,   /* serves closing listeners alone */
        WORKER_REPLACE, /* serves; started for one worker that is being recycled, which goes when this one is ready */
        WORKER_ROLL,    /* serves; started ahead by a roll, and no older worker has gone for it yet */
        WORKER_PURPOSE_COUNT
};

/* "serve", "refuse", … for the hand-over and status. "unknown" for a number outside the enum. */
const char *worker_purpose_name(enum worker_purpose purpose);
