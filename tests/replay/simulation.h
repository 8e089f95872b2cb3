/* A pool in virtual time: requests come, wait, are served; workers are started and retired as a rule says. Events only,
 * no ticks but those that a rule asks for, and no chance: the same input gives the same result. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/policy/worth.h"
#include "replay/workload.h"

#define SIMULATION_WORKERS 400 /* max_workers of every rule */

/* What has happened, just now. */
enum happening {
        HAPPENS_BEGIN,   /* the pool begins, without workers */
        HAPPENS_BUSY,    /* an idle worker has taken a request */
        HAPPENS_IDLE,    /* a worker has ended a request */
        HAPPENS_READY,   /* a worker has started */
        HAPPENS_WAITING, /* a request has come and waits */
        HAPPENS_ALARM,   /* the alarm that the rule has set */
};

struct simulation;

/* The start of a worker. */
struct start {
        uint64_t us;        /* it takes so long, */
        uint64_t price_us;  /* and costs so much time of an idle worker. */
        struct worth worth; /* What adaptive scaling takes it to be worth. */
};

struct rule {
        const char *name;
        size_t size; /* of its state, which begins as a copy of `settings` */
        const void *settings;
        void (*happens)(void *state, struct simulation *simulation, enum happening what);
};

struct simulation {
        /* What a rule may read. */
        const struct workload *load;
        struct start start;
        uint64_t now_us;
        unsigned busy, idle, starting;
        size_t arrived, taken;                /* requests that have come, and that are or were served */
        uint64_t left_ms[SIMULATION_WORKERS]; /* when level i + 1 was busy last, as workers note it */
        unsigned low_water;                   /* fewest idle workers since a rule set it */
        uint64_t alarm_us;                    /* 0: none; set by the rule */

        /* Its own. */
        const struct rule *rule;
        void *state;
        uint64_t ends_us[SIMULATION_WORKERS];       /* a heap: when busy workers end */
        uint64_t ready_us[SIMULATION_WORKERS];      /* a ring: when starting workers are ready */
        uint64_t idle_since_us[SIMULATION_WORKERS]; /* a ring: the worker that is idle longest is the next to be busy */
        size_t ready_first, idle_first;
        uint32_t *waits_us; /* of each request */
        uint64_t area_us;   /* time of all workers */
        uint64_t starts, turns;
};

/* What came of it. */
struct result {
        double cost; /* time of all workers, and starts at their price; in seconds of a worker */
        double late; /* share of the requests that waited */
        double wait_p999_ms, wait_most_ms;
        double area;   /* of the cost, the time of all workers */
        double starts; /* a request */
        double turns;  /* how often the rule was asked, a request */
};

/* Run a workload to the end of its last request. */
struct result simulation_run(const struct workload *load, const struct rule *rule, const struct start *start);

/* For rules. Start at most so many workers, as far as SIMULATION_WORKERS allows; retire at most so many idle ones,
 * those that are idle longest. Return how many. */
unsigned simulation_start(struct simulation *simulation, unsigned count);
unsigned simulation_retire(struct simulation *simulation, unsigned count);
unsigned simulation_queued(const struct simulation *simulation);
unsigned simulation_total(const struct simulation *simulation);
/* For how long the longest idle worker has been idle; 0: no worker is. */
uint64_t simulation_longest_idle_us(const struct simulation *simulation);
