/* The hand-over document: whatever it says, the program that reads it lives, touches nothing before it begins, and can
 * be cleared away. The descriptors of the corpus are those made here: one of each kind, twice, from FIRST on. */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fuzz.h"
#include "master/daemon/private.h"
#include "master/daemon/startup.h"
#include "master/pool/pool.h"
#include "master/pool/worker_table.h"
#include "master/upgrade/handover.h"
#include "os/memory_file.h"
#include "os/scoreboard_memory.h"

#define FIRST 100
#define KEPT 700 /* where the originals are, out of the way */
#define MASTER_PID 4242

enum {
        CONTROL,
        TCP,
        UNIX,
        WAKE,
        WAKE_WRITE,
        BOARD,
        OTHER_TCP,
        OTHER_WAKE,
        OTHER_WAKE_WRITE,
        OTHER_BOARD,
        LOG,
        OTHER_LOG,
        THIRD_LOG,
        CLIENT,
        RECORDS,
        RECORDS_WRITE,
        ORDERS,
        KINDS
};

/* A part that fails leaves what it has made as it is, because to close a listener is to remove its path; the process
 * ends then, or executes another program. So this harness leaks. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier): the sanitizer's name */
__attribute__((visibility("default"))) const char *__asan_default_options(void);

/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
const char *__asan_default_options(void)
{
        return "detect_leaks=0";
}

/* Reading signals nobody and removes nothing. */
static bool reading;
/* NOLINTBEGIN(bugprone-reserved-identifier): names of the linker's --wrap */
int __wrap_kill(pid_t pid, int number);
int __wrap_unlink(const char *path);
pid_t __wrap_getppid(void);
/* NOLINTEND(bugprone-reserved-identifier) */

int __wrap_kill(pid_t pid, int number)
{
        MUST(!reading);
        (void)pid;
        (void)number;
        return 0; /* pids of the document are nobody's */
}

int __wrap_unlink(const char *path)
{
        MUST(!reading);
        (void)path;
        return 0;
}

pid_t __wrap_getppid(void)
{
        return MASTER_PID;
}

static void keep(int kind, int fd)
{
        MUST(fd >= 0 && dup2(fd, KEPT + kind) >= 0);
        close(fd);
}

static int listening_socket(int family)
{
        int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (family == AF_UNIX) {
                const struct sockaddr_un address = {.sun_family = AF_UNIX};
                MUST(bind(fd, (const struct sockaddr *)&address, sizeof(sa_family_t)) == 0); /* any abstract name */
        }
        MUST(listen(fd, 5) == 0);
        return fd;
}

static void keep_pipe(int reading_kind, int writing_kind)
{
        int fds[2];

        MUST(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
        keep(reading_kind, fds[0]);
        if (writing_kind >= 0)
                keep(writing_kind, fds[1]);
        else
                close(fds[1]);
}

static void keep_board(int kind)
{
        struct prefork_scoreboard *board = NULL;
        int fd = -1;

        MUST(scoreboard_memory_open("fuzz", &board, &fd) == 0);
        scoreboard_memory_close(board);
        keep(kind, fd);
}

static void make_originals(void)
{
        int sockets[2];

        keep(CONTROL, listening_socket(AF_UNIX));
        keep(TCP, listening_socket(AF_INET));
        keep(UNIX, listening_socket(AF_UNIX));
        keep(OTHER_TCP, listening_socket(AF_INET));
        keep_pipe(WAKE, WAKE_WRITE);
        keep_pipe(OTHER_WAKE, OTHER_WAKE_WRITE);
        keep_pipe(LOG, -1);
        keep_pipe(OTHER_LOG, -1);
        keep_pipe(THIRD_LOG, -1);
        keep_board(BOARD);
        keep_board(OTHER_BOARD);
        MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
        keep(CLIENT, sockets[0]);
        keep_pipe(RECORDS, RECORDS_WRITE);
        MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0);
        keep(ORDERS, sockets[0]);
}

static void hand_over(void)
{
        for (int kind = 0; kind < KINDS; kind++)
                MUST(dup2(KEPT + kind, FIRST + kind) >= 0); /* without close-on-exec */
}

static void close_all(void)
{
        close_range(FIRST, KEPT - 1, 0);
}

/* A daemon ends when its pools have ended; these have workers that nobody will collect. */
static void free_pools(struct pool_table *pools)
{
        for (size_t i = 0; i < pools->count; i++) {
                while (pools->items[i]->workers.first)
                        worker_table_remove(pools->items[i]->workers.first);
                pool_free(pools->items[i]);
        }
        pools->count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static bool made;
        struct problem_list problems = {0};
        struct daemon daemon;
        int fd = -1;

        if (!made)
                make_originals();
        made = true;
        hand_over();
        MUST(memory_file_open("fuzz", &fd) == 0);
        if (size > 0)
                MUST(memory_file_write(fd, (const char *)data, size) == 0);
        struct daemon_setup setup = {.program = "/usr/sbin/preforkd",
                                     .arguments = (char *[]){NULL},
                                     .take_over = {.wanted = true, .is_preflight = true, .fd = fd, .previous_fd = -1}};
        MUST(startup_open(&daemon, &setup) == 0);
        reading = true;
        int r = handover_read(&daemon.state_parts, fd, &problems);
        reading = false;
        MUST(r == 0 || problem_list_refuses(&problems));
        for (int kind = 0; r < 0 && kind < KINDS; kind++) /* all are as they were */
                MUST(fcntl(FIRST + kind, F_GETFD) == 0);
        free_pools(&daemon.pools);
        startup_close(&daemon);
        problem_list_clear(&problems);
        close(fd);
        close_all();
        return 0;
}
