/* The orders of a turn: what the policies want done, in the order in which it is to be done. Pure data; appended
 * through logic/policy/turn, which changes the rows along with it, and carried out by master/.
 *
 * An order names workers by their rows. Carried out one after the other they lead to what the rows say, unless a launch
 * fails or a worker has done something in between; the next turn's snapshot shows either. What must stay true: an order
 * whose memory cannot be had is not in the list, and its rows are unchanged. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "logic/policy/worker_life.h"
#include "logic/policy/worker_purpose.h"

enum order_kind {
        ORDER_LAUNCH,   /* launch `count` workers for `purpose`, rows from `row` on; for WORKER_REPLACE: in the place of
                         * `replaces`, which waits for it. Text, if any: why; recorded with the number launched */
        ORDER_RETIRE,   /* ask it to end when convenient */
        ORDER_LET_GO,   /* its recycling: give it leave to go after its request, then look, and retire it if it is idle.
                         * (It may have stopped waiting for the answer. It enters the idle set first and looks for
                         * the answer then, so that one of the two sees the other) */
        ORDER_SERVE_ON, /* its recycling: not now. Answer LATER; its replacement, if it has one, serves as any other */
        ORDER_SETTLE,   /* a worker of a roll for which an old one has gone: it serves like any other from now on */
        ORDER_FEED,     /* feed `event` to its life and carry out the action. What it is told is about the request
                         * of the row, which becomes its escalated request */
        ORDER_CLOSE,    /* close the closing listener number `row`: it has drained */
        ORDER_NOTE_QUEUE,     /* somebody waits on the closing listener number `row` now */
        ORDER_RECORD,         /* record and log a decision about the pool */
        ORDER_TELL_SATURATED, /* the same, and count an episode of saturation */
        ORDER_TELL_RELIEVED,  /* the same for its end */
        ORDER_TELL_WORKER,    /* log something about the worker, with `duration_ms`; `event` is what it is about */
        ORDER_KIND_COUNT
};

struct order {
        enum order_kind kind;
        uint32_t row;
        uint32_t count;
        uint32_t replaces;
        enum worker_purpose purpose;
        enum worker_event event;
        int priority; /* LOG_… */
        uint64_t duration_ms;
        const char *reason; /* a word for the log; a literal */
        size_t text;        /* see orders_text() */
};

/* Zero-initialise; end with orders_clear(). */
struct orders {
        struct order *items;
        size_t count, capacity;
        struct text texts; /* each with its NUL; ORDER_NO_TEXT is none */
};

#define ORDER_NO_TEXT SIZE_MAX

/* Forget all orders but keep the memory. */
void orders_begin(struct orders *orders);

/* Make room for `more` orders without text. 0 or -ENOMEM. */
int orders_reserve(struct orders *orders, size_t more);

/* Append one, with a copy of `text` (NULL: none). 0; -ENOMEM: nothing is appended. */
int orders_add(struct orders *orders, const struct order *order, const char *text);

/* The text of an order; "" if it has none. Valid until the next order is added. */
const char *orders_text(const struct orders *orders, const struct order *order);

void orders_clear(struct orders *orders);
