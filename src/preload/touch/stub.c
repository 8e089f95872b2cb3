#include "preload/touch/stub.h"

#if defined(__x86_64__)
unsigned long stub_vfork_return;

/* The kernel compares the address behind the instruction, so the last `syscall` must not end the range. Debuggers know
 * the first two instructions as the return from a signal. */
__asm__(".pushsection .text.stub, \"ax\", @progbits\n"
        ".balign 64\n"
        ".globl stub_begin, stub_end, stub_call, stub_vfork, stub_bare, stub_restorer\n"
        ".hidden stub_begin, stub_end, stub_call, stub_vfork, stub_bare, stub_restorer\n"
        "stub_begin:\n"
        "stub_restorer:\n"
        "        movq $15, %rax\n" /* __NR_rt_sigreturn */
        "stub_bare:\n"
        "        syscall\n"
        "        ud2\n"
        "stub_call:\n"
        "        syscall\n"
        "        ret $128\n"
        "stub_vfork:\n"
        "        syscall\n"
        "        jmp *stub_vfork_return(%rip)\n"
        "        ud2\n"
        "stub_end:\n"
        ".popsection\n");
#endif
