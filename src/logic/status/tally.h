/* What is believed of the counters in a slot. Pure.
 *
 * Slots are written by workers, and every worker of a pool can write every slot of it. So their words are not added up
 * as they are: the master looks at them now and then, and counts what each has grown by since the last look, unless it
 * has grown by more than can have happened, or has gone backwards. Such growth is ignored, and counting goes on from
 * what the word says now; what the worker itself adds later is counted again. So garbage never gets into a sum, and a
 * lie that is believed is one that could be true.
 *
 * The bounds hold for every honest worker: accepting and serving a connection takes more than a microsecond, a request
 * ends in one way, requests of a worker do not overlap, and no process uses more CPU time than there is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "logic/status/counters.h"
#include "prefork/scoreboard.h"

/* Numbers of a slot, or of a board. */
struct tally_words {
        struct counters counters;
        uint64_t begun; /* requests */
        uint32_t durations[PREFORK_DURATION_BUCKETS];
        uint32_t waits[PREFORK_DURATION_BUCKETS]; /* of connections that were accepted, where it is known */
};

/* Zero-initialise except for since_ms and looked_ms, the time at which the writer was launched. */
struct tally {
        bool whole; /* the last look was at all words, while none was written */
        struct {
                uint64_t begun, requests, refused, throttled;
        } last; /* of `said`, side by side: of most of many workers nothing else is looked at */
        uint64_t since_ms, looked_ms;
        struct tally_words said;    /* by the slot, at the last look */
        struct tally_words counted; /* what is believed of it */
};

/* Growth that cannot be. */
struct tally_lie {
        const char *name; /* of the word; NULL: there is none */
        uint64_t from, to;
};

/* Read a slot or a board. tally_read() returns false if the worker has counted meanwhile. tally_read_busy() reads only
 * the words that change when a request begins, ends or is refused, and takes the others from the last look; false: none
 * of them has changed. */
bool tally_read(struct tally_words *ret, const struct prefork_slot *slot);
bool tally_read_busy(struct tally_words *ret, const struct prefork_slot *slot, const struct tally *tally);
/* False: the last look was at all words, and nothing that is at rest has changed since: what a request or a refusal
 * counts is counted before it is itself. It reads three of the eight lines of a slot. */
bool tally_has_news(const struct prefork_slot *slot, const struct tally *tally);
void tally_read_board(struct tally_words *ret, const struct prefork_scoreboard *board);

/* Count what has been read. `now_ms` must not be before the reading, and `cpus` is at least the number of processors.
 * Returns the first lie. */
struct tally_lie tally_count(struct tally *tally, const struct tally_words *words, uint64_t now_ms, unsigned cpus);
