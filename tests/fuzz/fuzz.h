/* What the harnesses have in common. Each is one function, called with any bytes; what must not be, aborts.
 *
 * `./check --fuzz MINUTES` links them with libFuzzer. Otherwise replay.c calls them with each file of their corpus. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                                                                                \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #condition);                     \
                        abort();                                                                                       \
                }                                                                                                      \
        } while (0)

__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes as a string, in memory of exactly that size, so that a sanitizer sees what reads past its end. */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
        char *string = malloc(size + 1);

        MUST(string);
        memcpy(string, data, size);
        string[size] = '\0';
        return string;
}
