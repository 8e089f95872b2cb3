#include "preload/service.h"

#include <errno.h>
#include <signal.h>

#include "lib/door.h"
#include "lib/orders.h"
#include "lib/text_of.h"
#include "preload/environment.h"
#include "preload/own_fds.h"
#include "preload/peer_variables.h"
#include "preload/record.h"
#include "preload/service_private.h"
#include "preload/stderr_reader.h"
#include "preload/template_link.h"

struct service service = {.template_fd = -1, .heir_fd = -1, .access_fd = -1, .hold_fds = {-1, -1}, .held_fd = -1};

size_t service_list_saved(int signals[static SAVED_MAX])
{
        size_t count = 0;

        for (size_t i = 0; i < orders_caught_count; i++)
                signals[count++] = orders_caught[i];
        signals[count++] = SIGCHLD;
        return count;
}

bool service_saves_all_handlers(void)
{
        int signals[SAVED_MAX];
        size_t count = service_list_saved(signals);
        uint64_t saved = 0;

        for (size_t i = 0; i < count; i++)
                saved |= sys_signal_bit(signals[i]);
        for (int number = 1; number < NSIG; number++) {
                struct sys_sigaction action = {0};
                if (!(saved & sys_signal_bit(number)) && sys_get_action(number, &action) == 0 &&
                    action.handler != SIG_DFL && action.handler != SIG_IGN)
                        return false;
        }
        return true;
}

int service_end_with(int code)
{
        service.end_code = code;
        return -1;
}

/* What the program executes while it starts gets none of them: it may live on. */
static void keep_from_children(void)
{
        int *own[OWN_FDS_MAX];
        size_t count = service_list_own(own);

        for (size_t i = 0; i < count; i++)
                if (*own[i] >= 0)
                        sys_set_cloexec(*own[i]);
}

/* There is no slot yet: what a worker needs of the pool comes with the order to make it. */
static void prepare(void)
{
        const struct attachment *attachment = &service.attachment;

        service.board_fd = service.desk.slot.wake_fd = service.desk.recycling.statm_fd = -1;
        service.log_read_fd = service.log_socket_fd = -1;
        service.log_fd = attachment->has[ATTACH_LOG_FD] ? (int)attachment->values[ATTACH_LOG_FD] : -1;
        service.template_fd = (int)attachment->values[ATTACH_TEMPLATE_FD];
        service.access_fd = attachment->has[ATTACH_ACCESS_FD] ? (int)attachment->values[ATTACH_ACCESS_FD] : -1;
        keep_from_children();
        service_note_limits();
        record_set_targets(-1, service.log_fd);
        template_link_say(service.template_fd, TEMPLATE_LOADED, TEMPLATE_VERSION, 0, 0);
}

bool service_prepare(char **environment)
{
        pid_t pid = sys_getpid();

        int r = attach_read(environment, pid, &service.attachment);
        if (r < 0 || !service.attachment.has[ATTACH_TEMPLATE_FD] || !service.attachment.has[ATTACH_STOP])
                return false;
        environment_save(environment, &service.attachment);
        environment_forget(environment);
        prepare();
        service.pid = pid;
        return true;
}

bool service_is_expected(enum attach_stop stop)
{
        return service.pid != 0 && !service.stopped && service.attachment.values[ATTACH_STOP] == stop &&
               sys_getpid() == service.pid;
}

void service_restore_mask(void)
{
        sys_set_mask(service.program_mask, NULL);
}

int service_first_own_fd(void)
{
        return service.first_own_fd;
}

void service_note_fast_exit(int result)
{
        service.fast_exit = result;
}

/* A wrapper has no Python, but what it executes has; so it is said when the program has stopped. */
static void tell_fast_exit(void)
{
        char text[RECORD_BYTES];
        struct line line = record_begin(text, RECORD_WARNING);

        if (service.fast_exit == 0)
                return;
        line_add(&line, "fast_exit = python has no effect: ");
        if (service.fast_exit == -ENOENT)
                line_add(&line, "the handler is not Python");
        else
                text_of_error(&line, -service.fast_exit);
        record_write(&line);
}

void service_share_memory(void)
{
        service.shares_memory = true;
        SYS_3(__NR_madvise, service.note, sizeof(*service.note), MADV_DONTFORK);
        SYS_3(__NR_madvise, service.desk.slot.board, sizeof(struct pool_memory), MADV_DONTFORK);
        if (service.gate.access)
                SYS_3(__NR_madvise, service.gate.access, service.gate_bytes, MADV_DONTFORK);
}

uint64_t service_value(enum attach_variable variable)
{
        return service.attachment.values[variable];
}

int service_end_code(void)
{
        return service.end_code;
}

bool service_is_auto(enum attach_auto what)
{
        return (service.attachment.values[ATTACH_AUTO] & what) != 0;
}

/* It is said before the signal: a thread of the program may not block it. */
void service_refuse(uint32_t refusal)
{
        template_link_say(service.template_fd, TEMPLATE_FAILED, refusal, PREFORK_STAGE_HANDLER, EOPNOTSUPP);
        sys_set_mask(ALL_SIGNALS, NULL);
        sys_kill(0, SIGTERM);
        sys_exit(PREFORK_EXIT_START_FAILED);
}

void service_note_obstacle(enum rollback_obstacle obstacle)
{
        atomic_store(&service.desk.slot.words->obstacle, obstacle);
}

void service_fail(enum prefork_stage stage, int error)
{
        struct prefork_slot *words = service.desk.slot.words;

        if (service.template_fd >= 0) {
                template_link_say(service.template_fd, TEMPLATE_FAILED, TOUCH_FINE, stage, (uint32_t)error);
                sys_exit(PREFORK_EXIT_START_FAILED);
        }
        atomic_store(&words->start_errno, (uint32_t)error);
        atomic_store(&words->start_stage, stage);
        sys_exit(PREFORK_EXIT_START_FAILED);
}

void service_leave(int code)
{
        if (door_is_orphaned()) /* a handler may have ended before the master did */
                stderr_reader_run(service.log_read_fd, 0);
        slot_ending(&service.desk.slot);
        sys_exit(code == PREFORK_EXIT_RETIRED && door_is_orphaned() ? PREFORK_EXIT_ORPHANED : code);
}

size_t service_list_own(int *own[static OWN_FDS_MAX])
{
        size_t count = 0;

        own[count++] = &service.board_fd;
        own[count++] = &service.access_fd;
        own[count++] = &service.desk.slot.wake_fd;
        own[count++] = &service.desk.recycling.statm_fd;
        own[count++] = &service.log_fd;
        own[count++] = &service.log_read_fd;
        own[count++] = &service.log_socket_fd;
        own[count++] = &service.template_fd;
        own[count++] = &service.heir_fd;
        own[count++] = &service.hold_fds[0];
        own[count++] = &service.hold_fds[1];
        for (size_t i = 0; i < service.listener_count; i++)
                own[count++] = &service.listeners[i];
        return count;
}

bool service_owns(int fd)
{
        int *own[OWN_FDS_MAX];
        size_t count = service_list_own(own);

        for (size_t i = 0; i < count; i++)
                if (*own[i] == fd && fd >= 0)
                        return true;
        return false;
}

/* Our descriptors move above those of the program, which are few: what has to be copied for each process is small then,
 * and one call closes all of ours. */
static int settle_descriptors(void)
{
        int *own[OWN_FDS_MAX];

        sys_close(service.board_fd); /* it is mapped */
        service.board_fd = -1;
        size_t count = service_list_own(own);
        service.first_own_fd = own_fds_above_program(own, count);
        for (size_t i = 0; i < count; i++) {
                int r = own_fds_move(own[i], service.first_own_fd);
                if (r < 0)
                        return r;
        }
        record_set_targets(service.log_socket_fd, service.log_fd);
        return 0;
}

/* A process that has left its group, or moved into another, is signalled by its pid, which is its own until it is
 * collected. */
static int interrupt(int signal_number)
{
        pid_t pid = service.copy;

        if (pid <= 0)
                return 0;
        int r = sys_kill(-pid, signal_number);
        if (sys_getpgid(pid) != pid)
                r = sys_kill(pid, signal_number);
        return r == -ESRCH ? 0 : r;
}

bool service_has_request(void)
{
        return atomic_load(&service.note->begun_ns) != 0;
}

uint64_t service_request_ns(void)
{
        uint64_t begun_ns = atomic_load(&service.note->begun_ns), now_ns = sys_now_ns();

        return begun_ns > 0 && now_ns > begun_ns ? now_ns - begun_ns : 0;
}

/* The door has closed: so has that of the process that waits. */
static void tell_copy(void)
{
        pid_t pid = service.copy;

        if (pid > 0 && !service_has_request())
                sys_kill(pid, DOOR_SIGNAL);
}

/* The door's descriptor has got the lowest number that was free. */
static int settle_door(void)
{
        for (int before = -1; door_fd() < service.first_own_fd; door_make_way(before)) {
                if (door_fd() == before)
                        return -EMFILE;
                before = door_fd();
        }
        return 0;
}

/* A worker has handlers for its own signals alone: those of the program would run in it. */
static int take_signals(void)
{
        int signals[SAVED_MAX];
        size_t count = service_list_saved(signals);

        for (size_t i = 0; i < count; i++)
                sys_get_action(signals[i], &service.program_actions[i]);
        for (size_t i = 0; i < orders_caught_count; i++) /* they were blocked when the program was executed */
                service.program_mask &= ~sys_signal_bit(orders_caught[i]);
        sys_set_action(SIGCHLD, &(struct sys_sigaction){0});
        const struct orders_target target = {.interrupt = interrupt};
        int r = orders_install(&service.desk.slot, &target);
        if (r < 0)
                return r;
        door_set_teller(tell_copy);
        r = door_install(service.listeners, service.listener_count, (pid_t)service.attachment.values[ATTACH_MASTER_PID],
                         (unsigned)service.attachment.values[ATTACH_ORPHAN_TIMEOUT_MS]);
        return r < 0 ? r : settle_door();
}

/* An exec makes a process open to all of its user, and the handlers have the same: what one of them wrote here
 * (ptrace(2), /proc/PID/mem) would be in all workers, or would have the scoreboard and all later connections. As
 * os/process/credentials. A worker whose copies share its memory shares this attribute of it. */
static void close_to_handlers(bool close)
{
        if (service.dumpable == DUMPABLE_BY_USER)
                SYS_5(__NR_prctl, PR_SET_DUMPABLE, close ? 0 : DUMPABLE_BY_USER, 0, 0, 0);
}

/* The death signal is ours until the program sets one. Orphans of the copies are not the worker's to collect. */
static void note_attributes(void)
{
        service.dumpable = SYS_5(__NR_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
        SYS_5(__NR_prctl, PR_GET_PDEATHSIG, &service.death_signal, 0, 0, 0);
        if (service.death_signal == SIGKILL)
                service.death_signal = 0;
        SYS_5(__NR_prctl, PR_GET_CHILD_SUBREAPER, &service.subreaper, 0, 0, 0);
        if (service.subreaper)
                SYS_5(__NR_prctl, PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

void service_stop(void)
{
        service.stopped = true;
        sys_set_mask(ALL_SIGNALS, &service.program_mask);
        note_attributes();
        close_to_handlers(true);
        sys_set_death_signal(SIGKILL);
        int r = settle_descriptors();
        if (r < 0)
                service_fail(PREFORK_STAGE_DESCRIPTORS, -r);
        tell_fast_exit();
}

void service_begin(char **environment)
{
        close_to_handlers(service_value(ATTACH_COPY) != ATTACH_COPY_ROLLBACK);
        int r = service_hold_begin();
        if (r == 0)
                r = settle_descriptors();
        if (r < 0)
                service_fail(PREFORK_STAGE_DESCRIPTORS, -r);
        r = sys_map_memory(sizeof(*service.note), (void **)&service.note);
        if (r == 0 && environment)
                r = peer_variables_begin(environment);
        if (r < 0)
                service_fail(PREFORK_STAGE_MEMORY, -r);
        service.has_peer_variables = environment != NULL;
        service.acceptor = (struct acceptor){.epoll_fd = -1, .signal_fd = -1}; /* a worker does not wait itself */
        r = service_choose_limits();
        if (r < 0)
                service_fail(PREFORK_STAGE_LIMITS, -r);
        r = take_signals();
        if (r == 0)
                r = service_hold_watch();
        if (r == -ESRCH)
                service_leave(PREFORK_EXIT_ORPHANED);
        if (r < 0)
                service_fail(PREFORK_STAGE_LISTENERS, -r);
}

bool service_may_continue(void)
{
        if (!request_may_continue(&service.desk))
                service_end_with(PREFORK_EXIT_RECYCLED);
        else if (door_is_closed())
                service_end_with(PREFORK_EXIT_RETIRED);
        else
                return true;
        return false;
}
