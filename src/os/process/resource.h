/* Resource limits: those that we were started with, and more descriptors for the master.
 *
 * Owns nothing. bin/ reads the limits once at the start, before the master raises its own (master/reload/fd_budget).
 * Workers and handlers get them back before the limits of their pool apply, because programs that use select(2) need
 * the small soft RLIMIT_NOFILE. */
#pragma once

#include <stdint.h>
#include <sys/resource.h>

enum resource { RESOURCE_NOFILE, RESOURCE_AS, RESOURCE_CORE, RESOURCE_CPU, RESOURCE_NPROC, RESOURCE_COUNT };

struct resource_limits {
        struct rlimit of[RESOURCE_COUNT];
};

struct resource_raise {
        struct rlimit original; /* before the call */
        uint64_t reached;       /* the soft limit after the call */
        uint64_t ceiling;       /* the kernel's maximum for everyone (fs.nr_open); 0: unknown */
};

/* Read all limits. 0 or -errno of getrlimit(2), which is not expected to fail. */
int resource_read(struct resource_limits *ret);

/* Raise the soft RLIMIT_NOFILE to `needed`, and the hard limit if necessary and permitted; never lower either. 0;
 * -EPERM: `needed` is above the hard limit, and we lack CAP_SYS_RESOURCE; -ERANGE: it is above fs.nr_open, the limit
 * even for root; other -errno of setrlimit(2). After -EPERM and -ERANGE the soft limit is as high as possible. With 0,
 * -EPERM and -ERANGE *ret is filled in, so that a message can give the numbers. */
int resource_raise_nofile(uint64_t needed, struct resource_raise *ret);

/* Dry run of resource_raise_nofile(): raise the limits, because only the kernel knows whether it permits that, and
 * restore them. */
int resource_try_nofile(uint64_t needed, struct resource_raise *ret);

/* Set one limit of this process. 0; -EPERM: raising the hard limit needs CAP_SYS_RESOURCE; -EINVAL: the soft limit is
 * above the hard one. Async-signal-safe, as is resource_restore(). */
int resource_set(enum resource resource, const struct rlimit *limit);

/* Set all limits to those that were read, as far as possible. 0 or the first error. */
int resource_restore(const struct resource_limits *limits);
