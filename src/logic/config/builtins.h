/* The builtin handlers (handler_type = builtin) by name, and what follows their names. What they do is in builtin/. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The one that is in an object of its own (os/process/status_object), and asks the master. */
#define BUILTIN_STATUS "status"

/* The one that tells a balancer about another pool, whose state it asks the master for. */
#define BUILTIN_AGENT "agent"

/* What a builtin does with a datagram. */
enum builtin_datagrams {
        BUILTIN_DATAGRAMS_NONE,
        BUILTIN_DATAGRAMS_SILENT,   /* it takes it and does not answer */
        BUILTIN_DATAGRAMS_ANSWERED, /* whoever is named as the sender gets an answer, wanted or not */
};

struct builtin_name {
        const char *name;
        const char *argument; /* what its one argument is, for people; NULL: it has none */
        enum builtin_datagrams datagrams;
        bool names_pool; /* its argument is the name of a pool; else an address */
};

extern const struct builtin_name builtin_names[];
extern const size_t builtin_names_count;

/* The row of that name; NULL: there is none. */
const struct builtin_name *builtin_name_find(const char *name);
