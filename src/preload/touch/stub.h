/* The only instructions from which system calls are executed while the program is being watched: everything else gets
 * SIGSYS. Used by touch/ alone; x86-64.
 *
 * The handler of SIGSYS moves the program to one of the entries, with the registers of its call. So the kernel sees the
 * call where the program would have made it: with its mask, on its stack, and able to be restarted. */
#pragma once

/* All of them. */
extern const char stub_begin[] __attribute__((visibility("hidden")));
extern const char stub_end[] __attribute__((visibility("hidden")));

/* Execute the call, and return to the address at the stack pointer, which then rises by the 136 bytes that it was
 * lowered by: the address, and the red zone. */
extern const char stub_call[] __attribute__((visibility("hidden")));

/* Execute the call, and return to stub_vfork_return: a child of vfork(2) overwrites the stack. */
extern const char stub_vfork[] __attribute__((visibility("hidden")));
extern unsigned long stub_vfork_return __attribute__((visibility("hidden")));

/* Execute the call, which does not return: rt_sigreturn(2). */
extern const char stub_bare[] __attribute__((visibility("hidden")));

/* How the handler of SIGSYS returns. */
void stub_restorer(void) __attribute__((visibility("hidden")));

#define STUB_FRAME 136 /* what stub_call takes from the stack */
