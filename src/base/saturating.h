/* Sums that stop at the top instead of wrapping: for times that mean "never" and for counts that are gossip. Pure. */
#pragma once

#include <stdint.h>

/* a + b, or UINT64_MAX if that is more. */
static inline uint64_t saturated_add(uint64_t a, uint64_t b)
{
        return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}
