#include "os/process/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"

/* Of the clocks of a process: its time on processors, to the nanosecond. */
#define CPUCLOCK_SCHED 2U

static const char *skip_fields(const char *rest, unsigned count)
{
        while (count-- > 0) {
                rest += strspn(rest, " ");
                rest += strcspn(rest, " ");
        }
        return rest;
}

/* Of proc(5): minflt, utime, stime, rss. */
enum { FAULTS, USER_TICKS, SYSTEM_TICKS, PAGES, FIELDS };
static const unsigned field_numbers[FIELDS] = {[FAULTS] = 10, [USER_TICKS] = 14, [SYSTEM_TICKS] = 15, [PAGES] = 24};

/* `rest` is what follows the second field. */
static int read_fields(const char *rest, uint64_t values[static FIELDS])
{
        unsigned before = 2;
        int r = 0;

        for (unsigned i = 0; i < FIELDS && r == 0; i++) {
                rest = skip_fields(rest, field_numbers[i] - before - 1);
                r = number_next(&rest, &values[i]);
                before = field_numbers[i];
        }
        return r;
}

unsigned process_cpus(void)
{
        long count = sysconf(_SC_NPROCESSORS_CONF);

        return count > 0 ? (unsigned)count : 1;
}

uint64_t process_memory_bytes(void)
{
        long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);

        return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;
}

/* The kernel makes the number of the clock from that of the process, as clock_getcpuclockid(3) does. */
uint64_t process_cpu_us(pid_t pid)
{
        struct timespec time;

        if (pid <= 0 || clock_gettime((clockid_t)(~(unsigned)pid << 3 | CPUCLOCK_SCHED), &time) < 0)
                return 0;
        return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* Fields 2 and 3 of /proc/PID/statm: what is resident, and what of that is of files or shared. */
uint64_t process_anonymous_bytes(pid_t pid)
{
        char path[32], line[256];
        uint64_t resident, shared;

        snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd >= 0 ? read(fd, line, sizeof(line) - 1) : -1;
        if (length < 0)
                return 0;
        line[length] = '\0';
        const char *rest = skip_fields(line, 1);
        if (number_next(&rest, &resident) < 0 || number_next(&rest, &shared) < 0 || shared > resident)
                return 0;
        return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

int process_usage_read(pid_t pid, struct process_usage *ret)
{
        char path[32], line[1024];
        uint64_t values[FIELDS];

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        ssize_t length = read(fd, line, sizeof(line) - 1);
        if (length < 0)
                return -errno;
        line[length] = '\0';
        /* The second field is the name, in parentheses, and may contain any byte; the others are numbers. */
        const char *rest = strrchr(line, ')');
        if (!rest || read_fields(rest + 1, values) != 0)
                return -EPROTO;
        uint64_t ticks_per_second = (uint64_t)sysconf(_SC_CLK_TCK), page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
        *ret = (struct process_usage){
                .cpu_ms = (values[USER_TICKS] + values[SYSTEM_TICKS]) * 1000 / ticks_per_second,
                .resident_bytes = values[PAGES] * page_bytes,
                .touched_bytes = values[FAULTS] * page_bytes,
        };
        return 0;
}
