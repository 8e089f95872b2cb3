#include "logic/policy/worth.h"

#include "base/cleanup.h"

/* Of a fork of the master, and a small machine. */
#define FORK_CPU_US 1000
#define FORK_BYTES (UINT64_C(128) << 10)
#define SMALL_MACHINE_BYTES (UINT64_C(1) << 30)

/* How often to look for more connections while workers start. */
#define LOOKS 16
#define LONGEST_LOOK_MS 1000

static double start_cpu_us(const struct worth_input *input)
{
        return input->start_cpu_us > 0 ? (double)input->start_cpu_us + WORTH_MASTER_CPU_US : FORK_CPU_US;
}

static double known(uint64_t value, uint64_t otherwise)
{
        return (double)(value > 0 ? value : otherwise);
}

static uint64_t bounded(double ms, uint64_t least_ms)
{
        if (ms >= WORTH_MOST_MS)
                return WORTH_MOST_MS;
        return ms > (double)least_ms ? (uint64_t)ms : least_ms;
}

/* That part of a wait for a start which somebody notices. */
static uint64_t noticed_us(const struct worth_input *input)
{
        const uint64_t unnoticed_us = WORTH_UNNOTICED_MS * UINT64_C(1000);

        return input->start_us > unnoticed_us ? input->start_us - unnoticed_us : 0;
}

static uint64_t look_ms(const struct worth_input *input)
{
        if (noticed_us(input) == 0)
                return 0;
        return MIN_OF(MAX_OF(input->start_us / LOOKS / 1000, UINT64_C(1)), (uint64_t)LONGEST_LOOK_MS);
}

struct worth worth_of_start(const struct worth_input *input)
{
        double cpu_us = start_cpu_us(input), wait_us = (double)noticed_us(input);
        double workers =
                known(input->machine_bytes, SMALL_MACHINE_BYTES) /
                known(MAX_OF(input->worker_bytes, input->worker_bytes > 0 ? WORTH_LEAST_BYTES : 0), FORK_BYTES);
        /* Milliseconds of an idle worker for a microsecond of a processor. */
        double exchange = workers / (double)MAX_OF(input->cpus, 1U) / 1000;

        return (struct worth){
                .start_ms = bounded(cpu_us * exchange, WORTH_LEAST_MS),
                .wait_ms = bounded(MIN_OF(wait_us, cpu_us) * WORTH_OF_WAITING * exchange, 0),
                .wakeup_ms = bounded(WORTH_WAKEUP_CPU_US * exchange, 0),
                .look_ms = look_ms(input),
        };
}
