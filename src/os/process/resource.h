/* Resource limits: what we were started with, and more descriptors for the master.
 *
 * Owns nothing. master/ reads the limits once at start, before it raises its own; workers and handlers get them back
 * before the limits of their pool are applied (programs that use select(2) need the small soft RLIMIT_NOFILE). */
#pragma once

#include <stdint.h>
#include <sys/resource.h>

enum resource { RESOURCE_NOFILE, RESOURCE_AS, RESOURCE_CORE, RESOURCE_CPU, RESOURCE_NPROC, RESOURCE_COUNT };

struct resource_limits {
        struct rlimit of[RESOURCE_COUNT];
};

struct resource_raise {
        struct rlimit original; /* before the call */
        uint64_t reached;       /* the soft limit now in force */
        uint64_t ceiling;       /* the most the kernel allows anybody (fs.nr_open); 0: unknown */
};

/* Read all limits. 0 or -errno (getrlimit(2); none is to be expected). */
int resource_read(struct resource_limits *ret);

/* See to it that `needed` descriptors can be open: raises the soft RLIMIT_NOFILE, and the hard one where it must and we
 * may; never lowers either. 0; -EPERM: more than the hard limit, and we lack CAP_SYS_RESOURCE; -ERANGE: more than
 * fs.nr_open, which binds root too; other errors of setrlimit(2). After -EPERM and -ERANGE the soft limit is as high as
 * it could be made. *ret is filled in on all three, so that a message can give the numbers. */
int resource_raise_nofile(uint64_t needed, struct resource_raise *ret);

/* The same, and all limits as before when it returns: only the kernel knows whether it would raise them. */
int resource_try_nofile(uint64_t needed, struct resource_raise *ret);

/* Set one limit of this process. 0; -EPERM: a raise of the hard limit without CAP_SYS_RESOURCE; -EINVAL: soft above
 * hard. Async-signal-safe, as is the next one. */
int resource_set(enum resource resource, const struct rlimit *limit);

/* Give this process the limits back that were read, all it can; 0 or the first error. */
int resource_restore(const struct resource_limits *limits);
