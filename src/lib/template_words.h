/* What the master and the template of a pool say to each other, over a socket of packets. Data only.
 *
 * The master sends orders, with descriptors; the template makes a worker for each, and that sends the answer itself, so
 * that the kernel says who it is. What must stay true: both are of one build, or VERSION tells them apart; and the
 * master believes none of it that it can check. */
#pragma once

#include <stdint.h>

#define TEMPLATE_VERSION 2
#define TEMPLATE_LISTENERS_MAX 128

/* The descriptors of an order, in this sequence; of the optional ones those that `has` has a bit for. The listeners
 * follow. */
enum template_fd {
        TEMPLATE_FD_BOARD,
        TEMPLATE_FD_WAKE,
        TEMPLATE_FD_LOG, /* the writing end of the worker's pipe */
        TEMPLATE_FD_LOG_READ,
        TEMPLATE_FD_LOG_SOCKET,
        TEMPLATE_FD_HEIR, /* the worker becomes a template itself after `heir_after` requests: its socket to the master
                           */
        TEMPLATE_FD_COUNT
};
#define TEMPLATE_FDS_MAX (TEMPLATE_FD_COUNT + TEMPLATE_LISTENERS_MAX)

/* Make a worker. */
struct template_order {
        uint64_t heir_after; /* snapshot_after; with TEMPLATE_FD_HEIR */
        uint32_t launch;     /* a number, for the answer */
        uint32_t slot;
        uint32_t has; /* a bit for each enum template_fd */
        uint32_t listeners;
};

enum template_said {
        TEMPLATE_LOADED,       /* the preload object is in the program; `launch` is TEMPLATE_VERSION */
        TEMPLATE_STOPPED,      /* the program has stopped at its point: orders are carried out. Of an heir: it is no
                                * worker any more */
        TEMPLATE_FAILED,       /* there will be no template: `stage` and `error` say why. An heir serves on */
        TEMPLATE_LAUNCHED,     /* by the worker: here it is */
        TEMPLATE_NOT_LAUNCHED, /* `error`: there is no worker */
        TEMPLATE_SAID_COUNT
};

struct template_word {
        uint32_t said;   /* enum template_said */
        uint32_t launch; /* of TEMPLATE_FAILED: why, as touch_refusal_pack() has it, if that is known; else 0 */
        uint32_t stage;  /* enum prefork_stage */
        uint32_t error;  /* a positive errno */
};
