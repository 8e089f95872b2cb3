/* The orders of a turn: what the policies want done, in sequence. Pure data. Policies append orders through
 * logic/policy/turn, which changes the rows accordingly; master/pool/turn_orders carries them out.
 *
 * An order names workers by their rows. Once all orders are carried out, the workers are what the rows say, unless a
 * launch failed or a worker acted in between; the next turn's snapshot shows either. What must stay true: if there is
 * no memory for an order, it is not in the list and the rows are unchanged. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "logic/policy/worker_life.h"
#include "logic/policy/worker_purpose.h"

enum order_kind {
        ORDER_LAUNCH, /* launch `count` workers for `purpose`, as rows `row`, `row` + 1, …; for WORKER_REPLACE: to
                       * replace row `replaces`, which waits until it is ready. The text, if any, is the reason,
                       * recorded with the number launched */
        ORDER_RETIRE, /* ask the worker to end when it is idle */
        ORDER_LET_GO, /* recycling: allow the worker to end after its request, then retire it if it is already idle, or
                       * has threads.
                       * (It may have stopped waiting for the answer. It enters the idle set before it reads the
                       * answer, so one of the two sees the other) */
        ORDER_SERVE_ON, /* recycling: not now. Answer LATER; its replacement, if any, becomes an ordinary worker */
        ORDER_SETTLE,   /* a worker of a roll has done its part (an old worker was retired, or none is left): it becomes
                         * an ordinary worker */
        ORDER_FEED,     /* feed `event` to the worker's life and carry out the action. The action concerns the row's
                         * request, which becomes the escalated request */
        ORDER_GIVE_UP,  /* the worker does not become ready. Unless it has by now: log `reason` with `duration_ms`, and
                         * feed `event` */
        ORDER_INTERRUPT,         /* send TERM for the row's `other` request, beside the one that is escalated */
        ORDER_CLOSE,             /* close the closing listener number `row`: it has drained */
        ORDER_OPEN_LISTENERS,    /* open the addresses without a listener, and put damaged listeners right */
        ORDER_EXAMINE_LISTENERS, /* compare the listeners with what they were, in the next turn */
        ORDER_NOTE_QUEUE,        /* connections wait on the closing listener number `row` now */
        ORDER_NOTE_EMPTY,        /* none waits there now, for the first time, but the last may be served still */
        ORDER_RECORD,            /* record and log a decision about the pool */
        ORDER_TELL_SATURATED,    /* … and count an episode of saturation */
        ORDER_TELL_RELIEVED,     /* … and note the end of the episode */
        ORDER_TELL_SLOW,         /* log what the worker does, whose request has run for `duration_ms` */
        ORDER_TELL_WORKER,       /* log `reason` about the worker, with `duration_ms`; `event` selects the record */
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
