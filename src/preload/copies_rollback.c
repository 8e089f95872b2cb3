#include "preload/copies_rollback.h"

#include <errno.h>

#include "lib/sys.h"
#include "preload/record.h"
#include "preload/rollback/rollback.h"
#include "preload/service.h"

/* Above it, copying back takes longer than a fork. */
#define COPYING_MOST (8UL << 20)
#define RED_ZONE 128 /* bytes below the stack pointer that a function may use */

/* What has to be there after the program has run, and is not put back. */
static struct {
        struct resume resume;
        struct thread_state thread;
        char **environment; /* that of the present connection */
        void *jump[5];      /* __builtin_setjmp */
        void *point;
        void (*enter)(void *point);
        bool is_unfit;
        bool has_served;
} state;

static long wait_for_connection(void)
{
        service_note_copy(0); /* unblocks the worker's signals */
        return service_wait();
}

static void enter_service(int connection, bool is_cleared)
{
        state.environment = service_enter(connection, is_cleared);
}

static bool endure(long error)
{
        uint64_t patience_ns = service_value(ATTACH_PATIENCE_MS) * 1000000;

        service_note_copy(0);
        if ((error == -EAGAIN || error == -ENOMEM) && service_request_ns() < patience_ns) {
                service_endure("cannot make a process for a connection", (int)error);
                sys_set_mask(UINT64_MAX, NULL);
                return true;
        }
        service_lose((int)error);
        return false;
}

static bool note_end(int status, const struct rusage *usage)
{
        state.has_served = true;
        service_note_end(status, usage);
        return service_may_continue();
}

static void add_reason(struct line *line, enum rollback_obstacle obstacle, long detail)
{
        line_add(line, rollback_obstacle_text(obstacle));
        if (obstacle == ROLLBACK_NOT_PRISTINE) {
                line_add(line, ", at 0x");
                line_add_hex(line, (uint64_t)detail);
        }
}

/* A worker whose memory cannot be put back has served until now, and ends; one that has never begun cannot serve. */
static void note_unfit(enum rollback_obstacle obstacle, long detail)
{
        char text[RECORD_BYTES];
        struct line line = record_begin(text, state.has_served ? RECORD_NOTICE : RECORD_ERROR);

        state.is_unfit = true;
        line_add(&line, state.has_served ? "the worker ends: " : "copy = rollback cannot be used with the handler: ");
        add_reason(&line, obstacle, detail);
        line_add(&line, state.has_served ? NULL : "; expected fork");
        if (state.has_served || !service_is_auto(ATTACH_AUTO_COPY) || rollback_obstacle_is_shortage(obstacle))
                record_write(&line);
        service_note_obstacle(obstacle);
        if (!state.has_served)
                service_fail(PREFORK_STAGE_HANDLER, EOPNOTSUPP);
}

static _Noreturn void leave(void)
{
        service_leave(state.is_unfit ? PREFORK_EXIT_RECYCLED : service_end_code());
}

static const struct rollback_host host = {
        .wait = wait_for_connection,
        .enter = enter_service,
        .made = service_note_copy,
        .endure = endure,
        .collect = service_collect,
        .ended = note_end,
        .unfit = note_unfit,
        .leave = leave,
};

/* Everything but where the program goes on. Does not return if it cannot be. */
static void begin(struct rollback_options *options)
{
        struct rollback_finding finding;

        service_share_memory();
        int r = thread_state_read(&state.thread);
        if (r == 0)
                r = service_join();
        if (r < 0)
                service_fail(PREFORK_STAGE_HANDLER, -r);
        *options = (struct rollback_options){.host = &host,
                                             .thread = &state.thread,
                                             .way = ROLLBACK_FASTEST,
                                             .first_fd = service_first_own_fd(),
                                             .image_fd = -1,
                                             .copying_most = COPYING_MOST,
                                             .clears_handlers = service_saves_all_handlers(),
                                             .strict = service_value(ATTACH_STRICT) != 0};
        enum rollback_obstacle obstacle = rollback_check(options, &finding);
        if (obstacle != ROLLBACK_NO_OBSTACLE)
                note_unfit(obstacle, finding.detail);
}

static _Noreturn void jump_back(const struct resume *resume)
{
        (void)resume;
        __builtin_longjmp(state.jump, 1);
}

static _Noreturn void enter_at_point(const struct resume *resume)
{
        (void)resume;
        state.enter(state.point);
        __builtin_unreachable();
}

/* The stack pointer of the caller. */
__attribute__((always_inline)) static inline uintptr_t stack_pointer(void)
{
        uintptr_t pointer = 0;

#if defined(__x86_64__)
        __asm__ volatile("movq %%rsp, %0" : "=r"(pointer));
#endif
        return pointer;
}

__attribute__((noinline)) char **copies_rollback_run(char **environment)
{
        static struct rollback_options options;

        begin(&options);
        state.environment = environment;
        if (__builtin_setjmp(state.jump) == 0) {
                state.resume = (struct resume){.stack = stack_pointer() - RED_ZONE, .enter = jump_back};
                rollback_run(&options, &state.resume);
        }
        return state.environment;
}

_Noreturn void copies_rollback_run_at(void *point, void (*enter)(void *point))
{
        static struct rollback_options options;

        begin(&options);
        state.point = point;
        state.enter = enter;
        state.resume = (struct resume){.stack = (uintptr_t)point - RED_ZONE, .enter = enter_at_point};
        rollback_run(&options, &state.resume);
}
