/* Additions that stop at UINT64_MAX instead of wrapping: for times where that means "never", and for counts read from
 * memory that others write. Pure. */
#pragma once

#include <stdint.h>

/* a + b, or UINT64_MAX if that is more. */
static inline uint64_t saturated_add(uint64_t a, uint64_t b)
{
        return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}
