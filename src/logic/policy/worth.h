/* What the start of a worker is worth: for how long an idle worker may be kept to save one. Pure.
 *
 * Called by whoever has the measurements; logic/policy/adaptive goes by the result. This is the only place where unlike
 * things are weighed against each other, and it does so by shares of the machine: a second of processor time is 1/cpus
 * of all that there is in that second, and an idle worker takes its private memory/all memory for as long as it is
 * kept. So on a machine with 2 processors and 8 GB, where a start takes 20 ms of processor time, the master's part
 * included, and a worker 8 MB, a start is worth 0.02 / 2 × 8192 / 8 = 10.24 s. A second that a client waits counts as
 * WORTH_OF_WAITING seconds of a processor, except the first WORTH_UNNOTICED_MS of it, which nobody notices; and no more
 * than so many times the start, or starts that are slow because many are under way would lead to more of them. */
#pragma once

#include <stdint.h>

#define WORTH_OF_WAITING 2.4
#define WORTH_UNNOTICED_MS 10
/* Beside the processor time of the worker itself: what a start and its end cost the master, which is woken, forks, is
 * woken again, and waits for it; a start of a quick worker costs as much itself. (tests/bench/live.py measures it.) */
#define WORTH_MASTER_CPU_US 300
/* What it costs to wake the master twice: to learn that no worker is idle, and that a connection waits. */
#define WORTH_WAKEUP_CPU_US 100
/* Bounds: measurements are coarse, and nobody waits longer than an hour for memory. */
#define WORTH_LEAST_MS 1000
#define WORTH_MOST_MS 3600000

/* A worker always has that much of its own: page tables, stacks of the kernel. */
#define WORTH_LEAST_BYTES (UINT64_C(32) << 10)

/* 0: not known. */
struct worth_input {
        uint64_t start_cpu_us;  /* processor time of a start, that of the worker */
        uint64_t start_us;      /* how long a start takes, and a client may have to wait for it */
        uint64_t worker_bytes;  /* memory of its own that an idle worker has */
        uint64_t machine_bytes; /* all memory */
        unsigned cpus;
};

/* All in milliseconds of an idle worker. */
struct worth {
        uint64_t start_ms;  /* an idle worker is kept for so long to save a start */
        uint64_t wait_ms;   /* … to save a client the wait for a start; 0: nobody would notice */
        uint64_t wakeup_ms; /* … to save the master the wake-ups when no worker is idle */
        uint64_t look_ms;   /* a time that is short beside a start, in real milliseconds; 0: starts are quick */
};

/* Weigh. What is not known is taken for that of a worker which is a fork of the master, on a small machine. */
struct worth worth_of_start(const struct worth_input *input);
