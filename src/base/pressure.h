/* Pressure: how much of the time processes wait for something that there is too little of (PSI, Linux 4.20), as
 * /proc/pressure/ and the control groups say it. Pure; called by os/pressure, and for its names by those who show it.
 */
#pragma once

#include <stdint.h>

enum pressure_resource { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_RESOURCE_COUNT };

/* In this unit shares of the time are kept: the kernel shows two decimals. */
#define PRESSURE_ONE_PERCENT 100
#define PRESSURE_ALL (100 * PRESSURE_ONE_PERCENT)

struct pressure_reading {
        uint64_t stalled_us; /* for so long at least one process has waited, since the kernel began to count */
        unsigned recent;     /* in the last ten seconds or so: that share of the time, at most PRESSURE_ALL */
};

/* "cpu", "memory": also the names of the kernel's files. */
const char *pressure_resource_name(enum pressure_resource resource);

/* Read the text of such a file, of which the line `some` counts. 0; -EINVAL or -ERANGE: it is no such text. *ret is
 * left alone on failure. */
int pressure_parse(const char *text, struct pressure_reading *ret);
