#include "preload/copies.h"

#include <errno.h>
#include <linux/sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/door.h"
#include "lib/sys.h"
#include "lib/text_of.h"
#include "preload/copies_rollback.h"
#include "preload/record.h"
#include "preload/service.h"
#include "preload/template.h"

/* As worker/room. */
#define ROOM_LOOKS 5
#define ROOM_PAUSE_MS 20

/* What the kernel knows of the program's only thread, and a fork of libc's would set again. */
static struct {
        int *tid;
        void *robust_list;
        size_t robust_list_size;
} thread;

static void learn_thread(void)
{
        if (SYS_5(__NR_prctl, PR_GET_TID_ADDRESS, &thread.tid, 0, 0, 0) < 0)
                thread.tid = NULL;
        if (SYS_3(__NR_get_robust_list, 0, &thread.robust_list, &thread.robust_list_size) < 0)
                thread.robust_list = NULL;
}

/* fork(2) without what libc does around it: the program has one thread, and does not know of this. */
static pid_t make_process(unsigned long flags)
{
        if (thread.tid)
                flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
#if defined(__x86_64__)
        pid_t pid = (pid_t)SYS_5(__NR_clone, flags, 0, 0, thread.tid, 0);
#else
        pid_t pid = (pid_t)SYS_5(__NR_clone, flags, 0, 0, 0, thread.tid);
#endif
        if (pid == 0 && thread.robust_list)
                SYS_2(__NR_set_robust_list, thread.robust_list, thread.robust_list_size);
        return pid;
}

static pid_t make_copy(void)
{
        return make_process(SIGCHLD);
}

/* The kernel tells of its end by the signal that it tells the master of the template's end by: SIGCHLD. */
static pid_t make_worker(void)
{
        return make_process(CLONE_PARENT | SIGCHLD);
}

/* In the copy: wait for a connection, and leave nothing of ours behind. */
static char **become_program(void)
{
        service_follow();
        int connection = service_wait();
        if (connection < 0)
                sys_exit(service_end_code());
        return service_enter(connection, false);
}

/* The copy has ended without a request. Until then it only executes our code, so its exit code is ours. */
static _Noreturn void end_with_copy(int status)
{
        char text[RECORD_BYTES];
        struct line line = record_begin(text, RECORD_ERROR);

        if (door_is_closed())
                service_leave(PREFORK_EXIT_RETIRED);
        if (WIFEXITED(status) && WEXITSTATUS(status) == PREFORK_EXIT_LISTENER_FAILED)
                sys_exit(PREFORK_EXIT_LISTENER_FAILED); /* it has said why in the slot */
        if (WIFEXITED(status) && WEXITSTATUS(status) != PREFORK_EXIT_START_FAILED)
                service_leave(WEXITSTATUS(status));
        line_add(&line, "the process of the handler that waited for a connection has ended");
        if (WIFSIGNALED(status)) {
                line_add(&line, ", killed by signal ");
                line_add_number(&line, (uint64_t)WTERMSIG(status));
                line_add(&line, " (");
                text_of_signal(&line, WTERMSIG(status));
                line_add(&line, ")");
        }
        record_write(&line);
        service_fail(PREFORK_STAGE_HANDLER, ECHILD);
}

static bool is_shortage(pid_t error)
{
        return error == -EAGAIN || error == -ENOMEM;
}

/* Make a copy, and try again in a shortage. The first one shows whether there is room for its process; others may just
 * be starting or looking, too. Signals are blocked when this returns. 0 in the copy. */
static pid_t make_copy_with_patience(bool is_first)
{
        for (unsigned looks = 0;; looks++) {
                sys_set_mask(UINT64_MAX, NULL);
                pid_t pid = door_is_closed() ? -ESHUTDOWN : make_copy();
                if (pid >= 0)
                        return pid;
                service_note_copy(0); /* unblocks the signals */
                if (pid == -ESHUTDOWN)
                        service_leave(PREFORK_EXIT_RETIRED);
                if (!is_shortage(pid) || (is_first && looks == ROOM_LOOKS))
                        service_fail(PREFORK_STAGE_ROOM, -pid);
                if (is_first)
                        sys_poll(NULL, 0, ROOM_PAUSE_MS);
                else
                        service_endure("cannot make a process for the next connection", pid);
        }
}

void copies_make_workers(void)
{
        learn_thread();
        if (template_is_expected())
                template_run(make_worker);
}

void copies_begin(char **environment)
{
        copies_make_workers();
        service_begin(environment);
}

char **copies_run(char **environment)
{
        copies_begin(environment);
        if (service_value(ATTACH_COPY) == ATTACH_COPY_ROLLBACK)
                return copies_rollback_run(environment);
        for (bool is_first = true;; is_first = false) {
                struct rusage usage = {0};
                int status = 0;

                pid_t pid = make_copy_with_patience(is_first);
                if (pid == 0)
                        return become_program();
                service_note_copy(pid);
                service_collect(pid, &status, &usage);
                if (!service_has_request())
                        end_with_copy(status);
                service_note_end(status, &usage);
                if (!service_may_continue())
                        service_leave(service_end_code());
        }
}
