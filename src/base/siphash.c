#include "base/siphash.h"

struct state {
        uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t value, unsigned bits)
{
        return value << bits | value >> (64 - bits);
}

static void mix(struct state *state, unsigned rounds)
{
        for (unsigned i = 0; i < rounds; i++) {
                state->v0 += state->v1;
                state->v2 += state->v3;
                state->v1 = rotate(state->v1, 13) ^ state->v0;
                state->v3 = rotate(state->v3, 16) ^ state->v2;
                state->v0 = rotate(state->v0, 32);
                state->v2 += state->v1;
                state->v0 += state->v3;
                state->v1 = rotate(state->v1, 17) ^ state->v2;
                state->v3 = rotate(state->v3, 21) ^ state->v0;
                state->v2 = rotate(state->v2, 32);
        }
}

static void take(struct state *state, uint64_t word)
{
        state->v3 ^= word;
        mix(state, 2);
        state->v0 ^= word;
}

/* Up to eight bytes as a number, the first is the lowest. */
static uint64_t word_of(const unsigned char *bytes, size_t count)
{
        uint64_t word = 0;

        for (size_t i = 0; i < count; i++)
                word |= (uint64_t)bytes[i] << 8 * i;
        return word;
}

uint64_t siphash(const uint64_t key[2], const unsigned char *bytes, size_t length)
{
        struct state state = {.v0 = key[0] ^ 0x736f6d6570736575ULL,
                              .v1 = key[1] ^ 0x646f72616e646f6dULL,
                              .v2 = key[0] ^ 0x6c7967656e657261ULL,
                              .v3 = key[1] ^ 0x7465646279746573ULL};
        size_t at = 0;

        for (; length - at >= 8; at += 8)
                take(&state, word_of(&bytes[at], 8));
        take(&state, word_of(&bytes[at], length - at) | (uint64_t)length << 56);
        state.v2 ^= 0xff;
        mix(&state, 4);
        return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}
