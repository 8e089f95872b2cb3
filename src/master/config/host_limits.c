#include "master/config/host_limits.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "master/config/host_private.h"
#include "os/pressure.h"
#include "os/process/credentials.h"

/* Try what a worker will do, because only the kernel knows whether it permits that, and undo it. */
static void check_nice(const struct host *host)
{
        int own = getpriority(PRIO_PROCESS, 0), wanted = (int)host->pool->nice;

        if (!host->pool->nice_set || wanted >= own) /* lowering oneself needs no privilege, and cannot be undone */
                return;
        if (setpriority(PRIO_PROCESS, 0, wanted) < 0)
                host_report(host, false, POOL_NICE, "%d is less than preforkd's own %d; that needs CAP_SYS_NICE: %s",
                            wanted, own, strerror(errno));
        else
                setpriority(PRIO_PROCESS, 0, own);
}

static void check_limits(const struct host *host)
{
        static_assert(POOL_LIMIT_FSIZE - POOL_LIMIT_NOFILE + 1 == (int)LIMIT_COUNT, "options in the order of limits");
        for (enum limit i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_value *wanted = &host->pool->limits[i];
                __rlimit_resource_t resource = (__rlimit_resource_t)limit_resource(i);
                struct rlimit own, higher;

                if (!wanted->set || getrlimit(resource, &own) < 0 || wanted->hard <= own.rlim_max)
                        continue;
                higher = (struct rlimit){.rlim_cur = own.rlim_cur, .rlim_max = wanted->hard};
                if (setrlimit(resource, &higher) == 0)
                        setrlimit(resource, &own);
                else
                        host_report(host, false, POOL_LIMIT_NOFILE + (enum pool_option)i,
                                    "preforkd may not set it: its own hard limit is %llu%s: %s",
                                    (unsigned long long)own.rlim_max,
                                    i == LIMIT_NOFILE ? " (fs.nr_open is the most for everybody)" : "",
                                    strerror(errno));
        }
}

static void check_oom_score(const struct host *host)
{
        _cleanup_(file_closep) FILE *file = fopen("/proc/self/oom_score_adj", "re");
        char line[16] = "";

        if (!host->pool->oom_score_adj_set || !file || !fgets(line, sizeof(line), file))
                return;
        int own = (int)strtol(line, NULL, 10);
        if (host->pool->oom_score_adj >= own)
                return;
        if (credentials_set_oom_score_adj((int)host->pool->oom_score_adj) == -EACCES)
                host_report(host, false, POOL_OOM_SCORE_ADJ,
                            "%lld is less than preforkd's own %d; that needs CAP_SYS_RESOURCE: %s",
                            (long long)host->pool->oom_score_adj, own, strerror(EACCES));
        else
                credentials_set_oom_score_adj(own);
}

/* A limit that cannot be had is an error, as any other: nobody would notice that it does nothing. */
static void check_pressure(const struct host *host)
{
        struct pressure_reading reading;

        if (!pool_config_uses(host->pool, POOL_GROWTH_PRESSURE_LIMIT))
                return;
        for (int i = 0; i < PRESSURE_RESOURCE_COUNT; i++) {
                const char *name = pressure_resource_name((enum pressure_resource)i);
                int r = host->pool->growth_pressure_limit.percent[i] > 0
                                ? pressure_read((enum pressure_resource)i, &reading)
                                : 0;
                if (r < 0)
                        host_report(host, false, POOL_GROWTH_PRESSURE_LIMIT, "cannot read /proc/pressure/%s: %s%s",
                                    name, strerror(-r),
                                    r == -ENOENT || r == -EOPNOTSUPP
                                            ? "; this kernel does not measure pressure (CONFIG_PSI; psi=1 on its "
                                              "command line)"
                                            : "");
        }
}

void host_limits_check(const struct host *host)
{
        check_nice(host);
        check_limits(host);
        check_oom_score(host);
        check_pressure(host);
}
