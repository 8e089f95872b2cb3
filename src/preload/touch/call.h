/* One system call of the program, as it stands in the context of the signal that stopped it. Used by touch/ alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "preload/touch/stub.h"

#if defined(__x86_64__)
struct call {
        long number;
        ucontext_t *context;
};

static inline greg_t *call_registers(const struct call *call)
{
        return call->context->uc_mcontext.gregs;
}

/* An argument, 0 … 5. */
static inline greg_t *call_at(const struct call *call, int index)
{
        static const int registers[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};

        return &call_registers(call)[registers[index]];
}

static inline uint64_t call_argument(const struct call *call, int index)
{
        return (uint64_t)*call_at(call, index);
}

static inline int call_int(const struct call *call, int index)
{
        return (int)*call_at(call, index);
}

/* An argument that is an address of the program. */
static inline void *call_pointer(const struct call *call, int index)
{
        void *pointer;

        __builtin_memcpy(&pointer, call_at(call, index), sizeof(pointer));
        return pointer;
}

static inline void call_set_pointer(const struct call *call, int index, const void *pointer)
{
        __builtin_memcpy(call_at(call, index), &pointer, sizeof(pointer));
}

/* The mask with which the program goes on. The kernel's set is the first word. */
static inline uint64_t *call_mask(const struct call *call)
{
        return (uint64_t *)(void *)&call->context->uc_sigmask;
}

/* The call has been done, with this result. */
static inline void call_return(const struct call *call, long result)
{
        call_registers(call)[REG_RAX] = result;
}

static inline void call_jump(const struct call *call, const char *stub)
{
        __builtin_memcpy(&call_registers(call)[REG_RIP], &stub, sizeof(stub));
}

/* The program makes the call itself, as its registers are now. */
static inline void call_go(const struct call *call)
{
        greg_t *registers = call_registers(call);

        registers[REG_RSP] -= STUB_FRAME;
        void *top;
        __builtin_memcpy(&top, &registers[REG_RSP], sizeof(top));
        __builtin_memcpy(top, &registers[REG_RIP], sizeof(registers[REG_RIP]));
        call_jump(call, stub_call);
}

/* 64 bytes that last until the call has read its arguments: in what will be the red zone. */
static inline void *call_scratch(const struct call *call)
{
        greg_t at = call_registers(call)[REG_RSP] - STUB_FRAME - 64;
        void *scratch;

        __builtin_memcpy(&scratch, &at, sizeof(scratch));
        return scratch;
}
#endif
