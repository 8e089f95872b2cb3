#include "preload/touch/acts.h"

#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sched.h>

#include "lib/sys.h"
#include "preload/touch/guard.h"
#include "preload/touch/program.h"
#include "preload/touch/signals.h"
#include "preload/touch/timers.h"

#if defined(__x86_64__)
static struct {
        const struct touch_host *host;
        enum touch_refusal refusal;
        void *environment; /* of an exec, in a mapping of its own */
        size_t environment_bytes;
} state;

void acts_begin(const struct touch_host *host)
{
        state.host = host;
        guard_begin(host);
}

enum touch_refusal acts_refusal(void)
{
        return state.refusal;
}

void acts_begin_call(void)
{
        if (!state.environment)
                return;
        sys_unmap(state.environment, state.environment_bytes);
        state.environment = NULL;
        guard_take_back();
}

void acts_own_fd(const struct call *call)
{
        if (guard_has(call_int(call, 0)))
                call_return(call, -EBADF);
        else
                call_go(call);
}

void acts_close(const struct call *call)
{
        acts_own_fd(call);
}

void acts_close_range(const struct call *call)
{
        unsigned first = (unsigned)call_int(call, 0);
        const unsigned last = (unsigned)call_int(call, 1);
        const int flags = call_int(call, 2);
        long r = 0;

        if (first > last) {
                call_return(call, -EINVAL);
                return;
        }
        for (unsigned own = guard_next(first); own <= last && r >= 0; own = guard_next(first)) {
                if (own > first)
                        r = SYS_3(__NR_close_range, first, own - 1, flags);
                first = own + 1;
                if (first == 0)
                        break;
        }
        if (r >= 0 && first != 0 && first <= last)
                r = SYS_3(__NR_close_range, first, last, flags);
        call_return(call, r);
}

void acts_dup2(const struct call *call)
{
        int to = call_int(call, 1);

        if (guard_has(call_int(call, 0))) {
                call_return(call, -EBADF);
                return;
        }
        if (guard_has(to))
                guard_make_way(to);
        call_go(call);
}

void acts_sigaction(const struct call *call)
{
        call_return(call, signals_action(call_int(call, 0), call_pointer(call, 1), call_pointer(call, 2),
                                         call_argument(call, 3)));
}

/* The mask is changed where the program gets it back from: in the frame. */
void acts_sigprocmask(const struct call *call)
{
        call_return(call, signals_mask(call_mask(call), call_int(call, 0), call_pointer(call, 1), call_pointer(call, 2),
                                       call_argument(call, 3)));
}

/* The frame of the program's own handler is where its stack pointer is. */
void acts_sigreturn(const struct call *call)
{
        ucontext_t *frame;

        __builtin_memcpy(&frame, &call_registers(call)[REG_RSP],
                         sizeof(frame)); /* NOLINT(bugprone-sizeof-expression): the pointer itself */
        uint64_t *mask = (uint64_t *)(void *)&frame->uc_sigmask;
        *mask = signals_strip(*mask);
        call_jump(call, stub_bare);
}

static void strip_mask(const struct call *call, int index)
{
        const uint64_t *mask = call_pointer(call, index);

        if (mask) {
                uint64_t *stripped = call_scratch(call);
                *stripped = signals_strip(*mask);
                call_set_pointer(call, index, stripped);
        }
        call_go(call);
}

void acts_sigsuspend(const struct call *call)
{
        strip_mask(call, 0);
}

void acts_ppoll(const struct call *call)
{
        strip_mask(call, 3);
}

void acts_epoll_pwait(const struct call *call)
{
        strip_mask(call, 4);
}

void acts_pselect(const struct call *call)
{
        struct set {
                const uint64_t *mask;
                uint64_t size;
        };
        const struct set *given = call_pointer(call, 5);

        if (given && given->mask) {
                struct set *used = call_scratch(call);
                uint64_t *stripped = (uint64_t *)(used + 1);
                *stripped = signals_strip(*given->mask);
                *used = (struct set){.mask = stripped, .size = given->size};
                call_set_pointer(call, 5, used);
        }
        call_go(call);
}

/* A child in this memory has this stack, and overwrites what stub_call would return to. */
static void go_as_vfork(const struct call *call)
{
        __builtin_memcpy(&stub_vfork_return, &call_registers(call)[REG_RIP], sizeof(stub_vfork_return));
        call_jump(call, stub_vfork);
}

void acts_vfork(const struct call *call)
{
        go_as_vfork(call);
}

/* With a stack of its own, the child returns from there. Children run without dispatch. */
void acts_clone(const struct call *call)
{
        greg_t *stack = call_at(call, 1);
        void *top;

        if (*stack == 0 && call_argument(call, 0) & CLONE_VM) {
                go_as_vfork(call);
                return;
        }
        if (*stack != 0) {
                *stack -= STUB_FRAME;
                __builtin_memcpy(&top, stack, sizeof(top));
                __builtin_memcpy(top, &call_registers(call)[REG_RIP], sizeof(greg_t));
        }
        call_go(call);
}

void acts_execve(const struct call *call)
{
        char *const *environment = call_pointer(call, 2);
        const size_t bytes = state.host->environment_room(environment) * sizeof(*environment);

        if (program_look(call_pointer(call, 0)) == PROGRAM_NONE) {
                call_go(call);
                return;
        }
        long r = SYS_6(__NR_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (r < 0 && r > -4096) {
                call_return(call, r);
                return;
        }
        char **extended;
        __builtin_memcpy(&extended, &r, sizeof(r));
        state.host->environment_extend(environment, extended);
        state.environment = extended;
        state.environment_bytes = bytes;
        guard_pass_on();
        call_set_pointer(call, 2, extended);
        call_go(call);
}

void acts_timer_create(const struct call *call)
{
        call_return(call, timers_create(call_int(call, 0), call_pointer(call, 1), call_pointer(call, 2)));
}

void acts_timer_delete(const struct call *call)
{
        call_return(call, timers_delete(call_int(call, 0)));
}

void acts_missing(const struct call *call)
{
        call_return(call, -ENOSYS);
}

void acts_rings(const struct call *call)
{
        state.refusal = TOUCH_RINGS;
        call_go(call);
}

/* Asking what there is, with no filter, is nothing. */
void acts_seccomp(const struct call *call)
{
        unsigned operation = (unsigned)call_int(call, 0);

        if (operation == SECCOMP_SET_MODE_STRICT || (operation == SECCOMP_SET_MODE_FILTER && call_pointer(call, 2)))
                state.refusal = TOUCH_FILTER;
        call_go(call);
}

void acts_landlock(const struct call *call)
{
        state.refusal = TOUCH_FILTER;
        call_go(call);
}

void acts_prctl(const struct call *call)
{
        if (call_int(call, 0) == PR_SET_SYSCALL_USER_DISPATCH) {
                call_return(call, -EINVAL);
                return;
        }
        if (call_int(call, 0) == PR_SET_SECCOMP && (call_int(call, 1) == SECCOMP_MODE_STRICT || call_pointer(call, 2)))
                state.refusal = TOUCH_FILTER;
        call_go(call);
}
#endif
