/* The most that a pool has had to do at one moment, as far as it was seen. Pure.
 *
 * The master has no tick. It looks at a pool in its turns, which come when workers run short, become idle or end, and
 * when somebody asks; between these, the workers' low-water mark tells how few of them were idle. What is counted here
 * was so, and there may have been more between two looks: the result is never too large. Called by master/pool/scaler;
 * owned by the pool, and handed over in an upgrade. */
#pragma once

#include <stdint.h>

/* A pool at one moment. */
struct peaks_view {
        unsigned busy;      /* workers that serve */
        unsigned reporting; /* those that are idle or busy, and say so; 0: the low-water mark says nothing */
        uint32_t low_water; /* the fewest idle ones since the mark was set, which happens in looks and turns alone */
        unsigned queued;    /* connections that wait */
};

/* Zero-initialise. */
struct peaks {
        uint64_t since_ms;  /* of the first look; 0: there was none */
        unsigned busy;      /* workers at once */
        unsigned queued;    /* connections that waited at once */
        unsigned demand;    /* connections that were served or waited at once */
        unsigned reporting; /* at the last look, … */
        uint32_t low_water; /* … as was the mark */
};

/* The mark was set anew. */
void peaks_mark(struct peaks *peaks, uint32_t low_water);

/* Look at the end of a turn, or when somebody asks. */
void peaks_note(struct peaks *peaks, uint64_t now_ms, const struct peaks_view *view);
