#include "preload/touch/signals.h"

#include "lib/sys.h"
#include "preload/touch/stub.h"

#if defined(__x86_64__)
#define SIGNALS 64
#define RESTORER 0x04000000UL /* SA_RESTORER */
#define SYS_BIT sys_signal_bit(SIGSYS)
#define UNBLOCKABLE (sys_signal_bit(SIGKILL) | sys_signal_bit(SIGSTOP))

static struct {
        struct sys_sigaction program; /* the program's action for SIGSYS */
        bool blocked;                 /* it has blocked SIGSYS */
        uint64_t kept, kept_blocked;  /* of those that are kept, the program has blocked these */
        uint64_t with_it;             /* the signals whose handlers run with SIGSYS blocked, in the program's eyes */
} state;

int signals_begin(void (*handler)(int, siginfo_t *, void *), uint64_t kept)
{
        struct sys_sigaction action = {.flags = SA_SIGINFO | RESTORER, .restorer = stub_restorer, .mask = ~UINT64_C(0)};
        uint64_t bit = SYS_BIT, mask = 0;

        __builtin_memcpy(&action.handler, &handler, sizeof(handler));
        long r = SYS_4(__NR_rt_sigaction, SIGSYS, &action, &state.program, sizeof(bit));
        if (r == 0)
                r = SYS_4(__NR_rt_sigprocmask, SIG_UNBLOCK, &bit, &mask, sizeof(mask));
        state.blocked = mask & bit;
        state.kept = kept;
        return (int)r;
}

static long change_own_action(const void *action, void *ret_former)
{
        struct sys_sigaction former = state.program;

        if (action)
                __builtin_memcpy(&state.program, action, sizeof(state.program));
        if (ret_former)
                __builtin_memcpy(ret_former, &former, sizeof(former));
        return 0;
}

/* An action that ignores a signal, SIG_DFL perhaps, throws one away that waits. */
static long set_action(int number, const struct sys_sigaction *action, struct sys_sigaction *ret_former, uint64_t size)
{
        bool waits = state.kept & sys_signal_bit(number) && sys_signal_is_pending(number);
        long r = SYS_4(__NR_rt_sigaction, number, action, ret_former, size);

        if (waits && !sys_signal_is_pending(number))
                sys_signal_thread(sys_gettid(), number);
        return r;
}

long signals_action(int number, const void *action, void *ret_former, uint64_t size)
{
        struct sys_sigaction used, former = {0};

        if (number == SIGSYS && size == sizeof(used.mask))
                return change_own_action(action, ret_former);
        if (number < 1 || number > SIGNALS)
                return -EINVAL;
        if (action) {
                __builtin_memcpy(&used, action, sizeof(used));
                used.mask &= ~SYS_BIT;
        }
        long r = set_action(number, action ? &used : NULL, &former, size);
        if (r < 0)
                return r;
        if (state.with_it & sys_signal_bit(number))
                former.mask |= SYS_BIT;
        if (action) {
                __builtin_memcpy(&used, action, sizeof(used));
                state.with_it &= ~sys_signal_bit(number);
                if (used.mask & SYS_BIT)
                        state.with_it |= sys_signal_bit(number);
        }
        if (ret_former)
                __builtin_memcpy(ret_former, &former, sizeof(former));
        return 0;
}

uint64_t signals_strip(uint64_t mask)
{
        return (mask & ~SYS_BIT) | state.kept;
}

void signals_adopt(uint64_t *mask)
{
        state.blocked = *mask & SYS_BIT;
        state.kept_blocked = *mask & state.kept;
        *mask = signals_strip(*mask);
}

uint64_t signals_true_mask(uint64_t mask)
{
        mask = (mask & ~state.kept) | state.kept_blocked;
        return state.blocked ? mask | SYS_BIT : mask;
}

long signals_mask(uint64_t *mask, int how, const void *set, void *ret_former, uint64_t size)
{
        uint64_t former = signals_true_mask(*mask), change = 0, next = former;

        if (size != sizeof(former) || (set && how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK))
                return -EINVAL;
        if (set) {
                __builtin_memcpy(&change, set, sizeof(change));
                change &= ~UNBLOCKABLE;
                next = how == SIG_BLOCK ? former | change : how == SIG_UNBLOCK ? former & ~change : change;
        }
        if (ret_former)
                __builtin_memcpy(ret_former, &former, sizeof(former));
        signals_adopt(&next);
        *mask = next;
        return 0;
}

static void give_back_own_action(void)
{
        SYS_4(__NR_rt_sigaction, SIGSYS, &state.program, NULL, sizeof(state.program.mask));
}

void (*signals_others(void))(int, siginfo_t *, void *)
{
        void (*handler)(int, siginfo_t *, void *);

        if (state.program.handler == SIG_DFL) {
                give_back_own_action();
                sys_signal_thread(sys_gettid(), SIGSYS); /* it comes when the handler returns */
        }
        if (state.program.handler == SIG_DFL || state.program.handler == SIG_IGN)
                return NULL;
        sys_block_signal(SIGSYS, false);
        __builtin_memcpy(&handler, &state.program.handler, sizeof(handler));
        return handler;
}

void signals_give_back(void)
{
        give_back_own_action();
        for (int number = 1; number <= SIGNALS; number++) {
                struct sys_sigaction action = {0};
                if (state.with_it & sys_signal_bit(number) &&
                    SYS_4(__NR_rt_sigaction, number, NULL, &action, sizeof(action.mask)) == 0) {
                        action.mask |= SYS_BIT;
                        SYS_4(__NR_rt_sigaction, number, &action, NULL, sizeof(action.mask));
                }
        }
}
#endif
