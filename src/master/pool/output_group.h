/* The outputs of one pool together: how many lines they may log, how much of them is read, how many may outlive their
 * workers, and what was suppressed, told now and then.
 *
 * Made by the first output of a pool, and gone with the last: outputs may outlive their pool. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/config/config.h"
#include "logic/policy/rate_limit.h"

struct evloop;
struct evloop_timer;

struct output_group {
        struct evloop *loop;
        struct output_group *next, **link;
        char *pool_name;
        unsigned members;
        struct rate rate; /* how many lines may be logged */
        struct rate_limit lines;
        struct rate_limit reads;
        uint64_t read_cost; /* of what was read, less than a unit of `reads` */
        unsigned outlived;  /* of the members, those whose worker has ended */
        uint64_t dropped;   /* lines, since they were told */
        uint64_t closed;    /* pipes, since they were told */
        uint64_t told_ms;
        struct evloop_timer *timer; /* made when first needed */
        bool is_waiting;            /* … and set */
};

/* The group of that pool in the list `first`, or NULL. */
struct output_group *output_group_find(struct output_group *first, const char *pool_name);

/* Join the group of that pool in the list `first`; a new one has the default rate until another is set. NULL: there is
 * no memory. */
struct output_group *output_group_join(struct output_group **first, struct evloop *loop, const char *pool_name);

/* The counterpart; what has not been told is told by the last. */
void output_group_leave(struct output_group *group);

/* From now on it may log so much; a changed rate begins with a whole budget. */
void output_group_set_rate(struct output_group *group, const struct rate *rate);

/* May a line of that length be logged? If not, it is counted as dropped. */
bool output_group_may_log(struct output_group *group, size_t length);

/* May its pipes be read now? If not, look again after the pause that is returned, in ms; 0: they may. Whatever handlers
 * write, reading it takes a few percent of a processor; who writes more than that is delayed. */
unsigned output_group_read_pause_ms(struct output_group *group);

/* So many bytes with so many lines were read. */
void output_group_note_read(struct output_group *group, size_t bytes, size_t lines);

/* A pipe that outlived its worker was closed because there were too many. */
void output_group_note_closed(struct output_group *group);
