/* A part of the state that one program hands over to the next. Each module writes and reads its own part, in the file
 * of its structure. daemon/state_parts lists all parts; upgrade/handover calls them.
 *
 * What must stay true: reading has no effect outside the process: no signal, no message, no change to a socket or a
 * file, because a preflight reads as well. Effects belong into `begin`. */
#pragma once

#include <assert.h>

#include "master/state/state_file.h"

struct state_part {
        const char *name; /* the member in the document */
        /* A new reference, or NULL if memory is short. */
        json_t *(*write)(const void *owner, struct state_file *file);
        /* `value` is NULL if the document has no such member: the owner keeps its initial values. 0; -EPROTO with an
         * error in the file; -ENOMEM; -errno. */
        int (*read)(void *owner, struct state_file *file, const json_t *value);
        void (*begin)(void *owner); /* called when all parts are read and it is no preflight; may be NULL */
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
