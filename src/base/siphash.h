/* SipHash-2-4 (Aumasson and Bernstein): a hash that nobody can foresee who does not know the key. Pure; it calls
 * nothing, so that it can be linked into the preload object. */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint64_t key[2], const unsigned char *bytes, size_t length);
