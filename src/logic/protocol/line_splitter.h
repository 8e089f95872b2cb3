/* The line splitter: bytes of a stream (what workers and handlers write to stderr) → records for the log. Pure.
 *
 * master/ owns one a pipe and feeds it what it read. What must stay true: for any input, a splitter holds at most
 * LINE_SPLITTER_MAX bytes, and none between lines (the buffer exists only while a line is incomplete); every line
 * becomes exactly one record. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_SPLITTER_MAX 2048 /* bytes of a line that are kept, its priority prefix included, its newline not */

struct line {
        int priority;      /* as the line's `<N>` prefix says (sd-daemon(3)), which is stripped; -1: it has none. 3..7:
                            * what is an emergency or an alert of the machine is not for a handler to say */
        const char *bytes; /* NUL-terminated, without newline; valid during the call */
        size_t length;
        bool cut; /* the line was longer; the rest is dropped */
};

/* Called once a line; must not feed or clear the splitter. */
typedef void line_function(void *context, const struct line *line);

/* Zero-initialise; end with line_splitter_clear(). */
struct line_splitter {
        char *pending; /* the line begun, NULL between lines */
        size_t length;
        bool swallowing;          /* up to the next newline: what is left of a cut line */
        uint64_t swallowed_bytes; /* in total */
};

/* Take the next bytes of the stream and call `emit` for every line that is complete, and for every line as soon as it
 * is too long.
 *
 * What a terminal or a log reader could act upon is made harmless: each control byte except TAB (NUL, ESC and DEL too)
 * and each byte of a C1 control in UTF-8 becomes `?`, which keeps the length; a CR before the newline is dropped. Other
 * bytes pass, UTF-8 or not. Lines that are then empty are not emitted, as in the journal. Out of memory: the line is
 * cut where the piece ended. */
void line_splitter_feed(struct line_splitter *splitter, const char *bytes, size_t length, line_function *emit,
                        void *context);

/* The stream has ended (or the writer is gone): emit an unfinished line as it is. Afterwards the splitter is ready for
 * a new stream. */
void line_splitter_flush(struct line_splitter *splitter, line_function *emit, void *context);

/* Free everything, unfinished lines included. */
void line_splitter_clear(struct line_splitter *splitter);
