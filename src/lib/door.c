#include "lib/door.h"

#include <errno.h>

#include "lib/sys.h"

#define REPLACE_TRIES 100

static struct {
        int door_fd;
        const int *listen_fds;
        size_t listen_count;
        pid_t parent;
        unsigned orphan_timeout_ms;
        const _Atomic pid_t *tids;
        size_t thread_count;
        bool in_sets;
        atomic_uint inside;      /* threads that wait in their sets */
        atomic_bool told;        /* the signal was sent on to all threads */
        void (*tell)(void);      /* NULL: nobody else */
        bool follows;            /* this process waits in its worker's place */
        _Atomic uint32_t closed; /* a futex word */
        atomic_bool orphaned;
} door = {.door_fd = -1};

/* dup3(2) may be interrupted, or meet the kernel in the middle of something (EBUSY); a listener that stays open would
 * be accepted from. */
static void replace(int listen_fd)
{
        for (unsigned tries = 0; tries < REPLACE_TRIES; tries++) {
                int r = sys_dup3(door.door_fd, listen_fd);
                if (r != -EBUSY && r != -EINTR)
                        return;
        }
}

static void replace_all(void)
{
        for (size_t i = 0; i < door.listen_count; i++)
                replace(door.listen_fds[i]);
}

/* Once: the threads do the same in turn. */
static void tell_threads(void)
{
        if (door.thread_count == 0 || atomic_exchange(&door.told, true))
                return;
        for (size_t i = 0; i < door.thread_count; i++) {
                pid_t tid = atomic_load(&door.tids[i]);
                if (tid > 0 && tid != sys_gettid())
                        sys_signal_thread(tid, DOOR_SIGNAL);
        }
}

void door_close(void)
{
        int saved_errno = sys_keep_errno();

        atomic_store(&door.closed, 1);
        if (atomic_load(&door.inside) == 0) /* else the last one replaces them */
                replace_all();
        tell_threads();
        if (door.tell)
                door.tell();
        if (!door.follows && !door_is_orphaned() && sys_getppid() != door.parent) {
                atomic_store(&door.orphaned, true);
                sys_alarm(door.orphan_timeout_ms);
        }
        sys_restore_errno(saved_errno);
}

static void on_retire_signal(int signal_number)
{
        (void)signal_number;
        door_close();
}

int door_install(const int *listen_fds, size_t listen_count, pid_t parent, unsigned orphan_timeout_ms)
{
        /* Any descriptor that is always readable and not a socket would do. An eventfd needs no path, so it works in a
         * chroot. */
        int door_fd = sys_eventfd(1);

        if (door_fd < 0)
                return door_fd;
        door.listen_fds = listen_fds;
        door.listen_count = listen_count;
        door.parent = parent;
        door.orphan_timeout_ms = orphan_timeout_ms;
        door.door_fd = door_fd;
        int r = sys_handle_signal(DOOR_SIGNAL, on_retire_signal);
        if (r == 0)
                r = sys_set_death_signal(DOOR_SIGNAL);
        if (r == 0)
                r = sys_block_signal(DOOR_SIGNAL, false);
        if (r < 0)
                return r;
        /* If the parent died before its death was to be announced, the kernel sends no signal. */
        return sys_getppid() == parent ? 0 : -ESRCH;
}

void door_uninstall(void)
{
        if (!door_is_installed())
                return;
        sys_handle_signal(DOOR_SIGNAL, SIG_DFL);
        sys_close(door.door_fd);
        door.door_fd = -1;
        door.listen_fds = NULL;
        door.listen_count = 0;
        atomic_store(&door.closed, 0);
}

void door_set_teller(void (*tell)(void))
{
        door.tell = tell;
}

int door_follow(pid_t worker)
{
        door.follows = true;
        door.tell = NULL;
        int r = sys_set_death_signal(DOOR_SIGNAL);
        if (r < 0)
                return r;
        return sys_getppid() == worker ? 0 : -ESRCH;
}

void door_set_threads(const _Atomic pid_t *tids, size_t count, bool in_sets)
{
        door.tids = tids;
        door.thread_count = count;
        door.in_sets = in_sets;
}

void door_enter(void)
{
        if (door.in_sets)
                atomic_fetch_add(&door.inside, 1);
}

/* Whoever closes the door sees a thread that is inside, or that thread sees here that it is closed. */
void door_leave(void)
{
        if (door.in_sets && atomic_fetch_sub(&door.inside, 1) == 1 && atomic_load(&door.closed))
                replace_all();
}

void door_signal_set(sigset_t *ret)
{
        sigemptyset(ret);
        sigaddset(ret, DOOR_SIGNAL);
}

void door_set_count(size_t listen_count)
{
        door.listen_count = listen_count;
}

int door_fd(void)
{
        return door.door_fd;
}

void door_make_way(int fd)
{
        if (fd < 0 || fd != door.door_fd)
                return;
        int moved = sys_move_up(fd);
        if (moved >= 0)
                door.door_fd = moved;
}

bool door_is_installed(void)
{
        return door.listen_fds != NULL;
}

bool door_is_closed(void)
{
        return atomic_load_explicit(&door.closed, memory_order_relaxed) != 0;
}

/* The signal's handler changes the word before the wait, or interrupts it. */
void door_sleep(uint64_t ns)
{
        const struct timespec timeout = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};

        sys_futex_wait(&door.closed, 0, &timeout);
}

unsigned door_orphan_timeout_ms(void)
{
        return door.orphan_timeout_ms;
}

bool door_is_orphaned(void)
{
        return atomic_load_explicit(&door.orphaned, memory_order_relaxed);
}
