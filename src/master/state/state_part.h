/* A part of the state that one program hands over to the next: what a module writes down and reads again, beside its
 * own structure. Who knows all parts is the daemon, who lists them (daemon/state_parts); who walks the list is
 * upgrade/handover.
 *
 * What must stay true: reading acts on nobody. No signal, no message, no change of a socket or a file, for a preflight
 * reads as well. Acting is for `begin`. */
#pragma once

#include <assert.h>

#include "master/state/state_file.h"

struct state_part {
        const char *name; /* of its member in the document */
        /* A new reference, or NULL for a lack of memory. */
        json_t *(*write)(const void *owner, struct state_file *file);
        /* `value` is NULL if the document has no such member: everything stays as in a new daemon. 0; -EPROTO with an
         * error in the file; -ENOMEM; -errno. */
        int (*read)(void *owner, struct state_file *file, const json_t *value);
        void (*begin)(
                void *owner); /* everything has been read, and it is in earnest; NULL: there is nothing to begin */
};

/* The parts in the order in which they are written, read and begun; zero-initialise. */
struct state_parts {
        struct {
                const struct state_part *part;
                void *owner; /* borrowed */
        } items[16];
        size_t count;
};

static inline void state_parts_add(struct state_parts *parts, const struct state_part *part, void *owner)
{
        assert(parts->count < sizeof(parts->items) / sizeof(parts->items[0]));
        parts->items[parts->count].part = part;
        parts->items[parts->count++].owner = owner;
}
