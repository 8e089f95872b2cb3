#include "preload/touch/touch.h"

#include "lib/sys.h"
#include "preload/touch/acts.h"
#include "preload/touch/call.h"
#include "preload/touch/calls.h"
#include "preload/touch/open_files.h"
#include "preload/touch/signals.h"
#include "preload/touch/stand_in.h"
#include "preload/touch/standstill.h"
#include "preload/touch/stub.h"

#if defined(__x86_64__)
#define DISPATCHED 2 /* SYS_USER_DISPATCH */
#define SYSCALL_BYTES 2
#define BLOCK 1 /* SYSCALL_DISPATCH_FILTER_BLOCK */
#define ALLOW 0
#define LAST_PLAIN_SIGNAL 31

/* The kernel reads it before every call. */
static volatile char selector;

static struct {
        const struct touch_host *host;
        uint64_t pending, mask;
} state;

static int set_dispatch(bool on)
{
        return (int)SYS_5(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, on ? PR_SYS_DISPATCH_ON : PR_SYS_DISPATCH_OFF,
                          on ? stub_begin : NULL, on ? stub_end - stub_begin : 0, on ? &selector : NULL);
}

static enum touch_refusal look(void)
{
        enum touch_refusal refusal = acts_refusal();

        if (refusal == TOUCH_FINE)
                refusal = standstill_keep();
        return refusal == TOUCH_FINE && !stand_in_end() ? TOUCH_USED_BY_CHILD : refusal;
}

/* A signal that waits for the program to unblock it waits in each copy, too. */
static void keep_pending(const struct call *call)
{
        state.mask = signals_true_mask(*call_mask(call));
        if (SYS_2(__NR_rt_sigpending, &state.pending, sizeof(state.pending)) != 0)
                state.pending = 0;
        state.pending &= *call_mask(call) & ~state.host->kept_signals;
}

static void renew_pending(void)
{
        for (int number = 1; number <= LAST_PLAIN_SIGNAL; number++)
                if (state.pending & sys_signal_bit(number))
                        sys_signal_thread(sys_gettid(), number);
}

/* In a copy, before the program goes on. */
__attribute__((used, visibility("hidden"))) void touch_renew(void);
void touch_renew(void)
{
        set_dispatch(false);
        signals_give_back();
        renew_pending();
        enum touch_refusal refusal = standstill_renew();
        if (refusal != TOUCH_FINE)
                state.host->refused(refusal);
}

/* Into the program, at the point that the frame of the signal says, from any stack: the frame is where the stack
 * pointer must be for rt_sigreturn(2), and what lies below it is free. */
__attribute__((naked)) static void enter(__attribute__((unused)) void *point)
{
        __asm__("movq %rdi, %rbx\n\t"
                "leaq -512(%rdi), %rsp\n\t"
                "andq $-16, %rsp\n\t"
                "xorl %ebp, %ebp\n\t"
                "call touch_renew\n\t"
                "movq %rbx, %rsp\n\t"
                "movq $15, %rax\n\t" /* __NR_rt_sigreturn */
                "syscall\n\t"
                "ud2");
}

/* The program waits here, in the template and in workers, and goes on in copies: with the same call. */
static void stop(const struct call *call)
{
        enum touch_refusal refusal = look();

        if (refusal != TOUCH_FINE)
                state.host->refused(refusal);
        keep_pending(call);
        *call_mask(call) = state.mask;
        call_registers(call)[REG_RIP] -= SYSCALL_BYTES;
        state.host->run(call->context, enter);
        enter(call->context);
}

static void take_call(const struct call *call)
{
        const struct calls_row row = calls_row(call->number);

        acts_begin_call();
        if (row.touches && row.touches(call))
                stop(call);
        else if (row.acts)
                row.acts(call);
        else
                call_go(call);
}

/* Some other SIGSYS, for the program. */
static void take_signal(int number, siginfo_t *info, void *context)
{
        void (*handler)(int, siginfo_t *, void *) = signals_others();

        selector = BLOCK;
        if (handler)
                handler(number, info, context);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
        struct call call = {.context = context};

        selector = ALLOW;
        if (info->si_code == DISPATCHED) {
                call.number = (int)call_registers(&call)[REG_RAX];
                take_call(&call);
                selector = BLOCK;
        } else {
                take_signal(number, info, context);
        }
}

int touch_begin(const struct touch_host *host)
{
        state.host = host;
        acts_begin(host);
        int r = set_dispatch(true);
        if (r == 0)
                r = stand_in_begin(host->family, host->stderr_too);
        if (r == 0)
                r = signals_begin(on_signal, host->kept_signals);
        if (r < 0)
                set_dispatch(false);
        else
                selector = BLOCK;
        return r;
}

uint64_t touch_mask(void)
{
        return state.mask;
}
#else
int touch_begin(const struct touch_host *host)
{
        (void)host;
        return -ENOSYS;
}

uint64_t touch_mask(void)
{
        return 0;
}
#endif

void touch_put_connection(int connection)
{
        int count = 0;
        const int *others = open_files_stand_ins(&count);

        stand_in_put(connection, others, count);
}
