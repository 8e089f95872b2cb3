#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/text.h"
#include "os/process/spawn.h"
#include "unit/child_helpers.h"

static char self[4096]; /* this program: run with an argument it is the handler; see handler_main() */

/* --- the handler's side ------------------------------------------------------------------------------------------- */

static void describe(char *text, size_t size)
{
        struct rlimit cpu, files;
        sigset_t mask;
        unsigned blocked = 0, not_default = 0, open_files = 0;
        struct stat in, out, error;

        sigprocmask(SIG_SETMASK, NULL, &mask);
        for (int number = 1; number < 32; number++) {
                struct sigaction action;
                blocked += sigismember(&mask, number) == 1;
                /* Sanitizers and valgrind have handlers for the signals of crashes. */
                not_default += sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
                               (number == SIGUSR1 || number == SIGTERM || number == SIGALRM || number == SIGWINCH);
        }
        for (int fd = 3; fd < 512; fd++)
                open_files += fcntl(fd, F_GETFD) >= 0;
        getrlimit(RLIMIT_CPU, &cpu);
        getrlimit(RLIMIT_NOFILE, &files);
        fstat(0, &in);
        fstat(1, &out);
        fstat(2, &error);
        snprintf(text, size, "blocked=%u caught=%u leader=%d cpu=%lu/%lu files=%lu fds=%u out=%d error=%d env=%s",
                 blocked, not_default, getpgrp() == getpid(), (unsigned long)cpu.rlim_cur, (unsigned long)cpu.rlim_max,
                 (unsigned long)files.rlim_cur, under_valgrind() ? 0 : open_files, in.st_ino == out.st_ino,
                 in.st_ino == error.st_ino, getenv("SPAWN_TEST") ? getenv("SPAWN_TEST") : "none");
}

static int handler_main(const char *what)
{
        char text[512];

        if (text_equal(what, "describe")) {
                describe(text, sizeof(text));
                return send(STDOUT_FILENO, text, strlen(text), 0) == (ssize_t)strlen(text) ? 42 : 1;
        }
        return recv(STDIN_FILENO, text, sizeof(text), 0) == 0 ? 7 : 1; /* "wait": until the test closes its end */
}

/* --- the worker's side -------------------------------------------------------------------------------------------- */

struct request {
        struct spawn_program program;
        int client;
};

static const int caught[] = {SIGUSR1, SIGTERM, SIGWINCH};

static struct request new_request(const char *what)
{
        static char *arguments[3], word[16];
        static char variable[] = "SPAWN_TEST=yes";
        static char *environment[] = {variable, NULL, NULL, NULL};
        size_t count = 1;
        int ends[2];

        /* Under valgrind and with sanitizers the program is to run as we do. */
        for (char **inherited = environ; *inherited && count < 3; inherited++)
                if (text_starts_with(*inherited, "ASAN_OPTIONS=") || text_starts_with(*inherited, "UBSAN_OPTIONS="))
                        environment[count++] = *inherited;
        environment[count] = NULL;
        arguments[0] = self;
        arguments[1] = word;
        snprintf(word, sizeof(word), "%s", what);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        return (struct request){
                .program = {.path = self,
                            .arguments = arguments,
                            .environment = environment,
                            .connection = ends[1],
                            .caught = caught,
                            .caught_count = sizeof(caught) / sizeof(caught[0])},
                .client = ends[0],
        };
}

static void end_request(struct request *request)
{
        close(request->client);
        if (request->program.connection >= 0)
                close(request->program.connection);
}

static bool has_children(void)
{
        return waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
}

/* What the handler reports about itself. */
static void run_and_compare(struct request *request, const char *expected)
{
        char text[512] = "";
        pid_t pid = -1;

        assert_int_equal(spawn_program(&request->program, &pid), 0);
        assert_int_equal(child_wait(pid, DEADLINE_MS), 42);
        assert_true(recv(request->client, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
        assert_string_equal(text, expected);
        end_request(request);
        assert_false(has_children());
}

static void on_signal(int number)
{
        (void)number;
}

static void needs_vfork(void)
{
        if (under_valgrind()) /* which has no vfork, and keeps RLIMIT_NOFILE for itself */
                skip();
}

static void test_what_a_handler_sees(void **state)
{
        const struct spawn_limit limits[] = {
                {RLIMIT_CPU, {12288, 16384}},
                {RLIMIT_NOFILE, {600, 1000}},
        };
        const struct sigaction action = {.sa_handler = on_signal};
        struct request request = new_request("describe");
        sigset_t odd, after;

        (void)state;
        needs_vfork();
        sigaction(SIGUSR1, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGWINCH, &action, NULL);
        sigemptyset(&odd);
        sigaddset(&odd, SIGWINCH);
        sigaddset(&odd, SIGHUP);
        sigprocmask(SIG_SETMASK, &odd, NULL);
        request.program.limits = limits;
        request.program.limit_count = 2;
        run_and_compare(&request, "blocked=0 caught=0 leader=1 cpu=12288/16384 files=600 fds=0 out=1 error=0 env=yes");

        sigprocmask(SIG_SETMASK, NULL, &after); /* ours has not changed */
        for (int number = 1; number < 32; number++)
                assert_int_equal(sigismember(&after, number), sigismember(&odd, number));
        sigemptyset(&odd);
        sigprocmask(SIG_SETMASK, &odd, NULL);
        struct rlimit files;
        getrlimit(RLIMIT_NOFILE, &files);
        assert_true(files.rlim_max != 1000); /* and so are our limits */
}

static void test_stderr_can_be_the_connection(void **state)
{
        const struct spawn_limit limits[] = {{RLIMIT_CPU, {700, 900}}, {RLIMIT_NOFILE, {512, 512}}};
        struct request request = new_request("describe");

        (void)state;
        needs_vfork();
        request.program.stderr_is_connection = true;
        request.program.limits = limits;
        request.program.limit_count = 2;
        run_and_compare(&request, "blocked=0 caught=0 leader=1 cpu=700/900 files=512 fds=0 out=1 error=1 env=yes");
}

/* When spawn_program() returns the program is executing: a signal reaches it, and not a copy of the worker. */
static void test_is_executing(void **state)
{
        struct request request = new_request("wait");
        pid_t pid = -1;

        (void)state;
        needs_vfork();
        assert_int_equal(spawn_program(&request.program, &pid), 0);
        assert_int_equal(getpgid(pid), pid);
        close(request.program.connection);
        request.program.connection = -1;
        close(request.client);
        request.client = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_int_equal(child_wait(pid, DEADLINE_MS), 7);
        end_request(&request);
}

static void fails_with(struct request *request, int error)
{
        pid_t pid = 4711;

        assert_int_equal(spawn_program(&request->program, &pid), error);
        assert_int_equal(pid, 4711);
        assert_false(has_children()); /* not even a zombie */
        end_request(request);
}

static void test_failures_by_name(void **state)
{
        const struct spawn_limit impossible = {RLIMIT_NOFILE, {2000, 1000}}; /* soft above hard */
        char file[] = "/tmp/preforkd-test-XXXXXX";
        struct request request = new_request("describe");

        (void)state;
        needs_vfork();
        request.program.path = "/nonexistent/program";
        fails_with(&request, -ENOENT);
        request = new_request("describe");
        request.program.path = "/";
        fails_with(&request, -EACCES);

        int fd = mkstemp(file);
        assert_int_equal(write(fd, "no program", 10), 10);
        close(fd);
        request = new_request("describe");
        request.program.path = file;
        fails_with(&request, -EACCES);
        assert_int_equal(chmod(file, 0700), 0);
        request = new_request("describe");
        request.program.path = file;
        fails_with(&request, -ENOEXEC);
        unlink(file);

        request = new_request("describe");
        close(request.program.connection);
        int closed = request.program.connection;
        assert_int_equal(fcntl(closed, F_GETFD), -1);
        fails_with(&request, -EBADF);
        request = new_request("describe");
        request.program.limits = &impossible;
        request.program.limit_count = 1;
        fails_with(&request, -EINVAL);
}

/* At the limit of processes spawn_program() and spawn_try() fail, and the signal mask has not changed. */
static int no_more_processes(void)
{
        struct request request = new_request("describe");
        sigset_t mask;
        pid_t pid = 4711;

        /* As a user of our own: the limit counts the user's processes, and root has none. */
        if (geteuid() == 0 && setresuid(54321, 54321, 54321) < 0)
                return 1;
        if (spawn_try() != 0 || waitpid(-1, NULL, WNOHANG) != -1)
                return 4;
        setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0});
        if (spawn_program(&request.program, &pid) != -EAGAIN || pid != 4711 || spawn_try() != -EAGAIN)
                return 2;
        sigprocmask(SIG_SETMASK, NULL, &mask);
        return sigismember(&mask, SIGTERM) == 0 ? 0 : 3;
}

static void test_no_more_processes(void **state)
{
        (void)state;
        in_child(no_more_processes);
}

/* --- signals at the wrong moment ---------------------------------------------------------------------------------- */

static volatile pid_t worker_pid;
static volatile pid_t spawned_pid;
static volatile sig_atomic_t strays, unknown;

static void on_order(int number)
{
        (void)number;
        strays = strays + (getpid() != worker_pid);
}

static int storm(void *context)
{
        (void)context;
        for (;;) {
                kill(0, SIGUSR1); /* the worker's group, and so its child until that has a group of its own */
                sched_yield();
        }
        return 0;
}

/* Between vfork(2) and execve(2) the child runs in the worker's memory and must not run the worker's signal
 * handlers. */
static int handlers_stay_out_of_the_child(void)
{
        const struct sigaction action = {.sa_handler = on_order, .sa_flags = SA_RESTART};
        uint64_t end_ms = test_now_ms() + 700;
        unsigned spawned = 0;

        worker_pid = getpid();
        if (setpgid(0, 0) < 0)
                return 1;
        signal(SIGUSR1, SIG_IGN);
        pid_t sender = child_start(storm, NULL); /* which ignores what it sends */
        sigaction(SIGUSR1, &action, NULL);
        for (; test_now_ms() < end_ms || spawned < 20; spawned++) {
                struct request request = new_request("describe");
                pid_t pid;
                if (spawn_program(&request.program, &pid) != 0)
                        return 2;
                child_wait(pid, DEADLINE_MS); /* killed by the signal, or not */
                end_request(&request);
        }
        kill(sender, SIGKILL);
        waitpid(sender, NULL, 0);
        return strays == 0 ? 0 : 3;
}

static void test_handlers_stay_out_of_the_child(void **state)
{
        (void)state;
        in_child(handlers_stay_out_of_the_child);
}

/* The signal handler must know the pid of a handler process as soon as it exists. */
static void on_late_order(int number)
{
        int saved_errno = errno;
        siginfo_t info;

        (void)number;
        unknown = unknown + (spawned_pid == 0 && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0);
        errno = saved_errno;
}

static int send_orders(void *context)
{
        const volatile pid_t *worker = context;

        for (;;) {
                if (*worker > 0)
                        kill(*worker, SIGUSR1);
                sched_yield();
        }
        return 0;
}

static int serve_under_orders(void *context)
{
        const struct sigaction action = {.sa_handler = on_late_order, .sa_flags = SA_RESTART};
        uint64_t end_ms = test_now_ms() + 700;

        sigaction(SIGUSR1, &action, NULL);
        *(volatile pid_t *)context = getpid();
        for (unsigned spawned = 0; test_now_ms() < end_ms || spawned < 20; spawned++) {
                struct request request = new_request("describe");
                spawned_pid = 0;
                if (spawn_program(&request.program, &spawned_pid) != 0)
                        return 1;
                if (child_wait(spawned_pid, DEADLINE_MS) != 42)
                        return 2;
                end_request(&request);
        }
        return unknown == 0 ? 0 : 3;
}

/* An order that comes while the program starts finds the pid, which is stored before signals are unblocked. */
static void test_pid_is_known_to_signal_handlers(void **state)
{
        volatile pid_t *worker = shared_new(sizeof(*worker));

        (void)state;
        pid_t sender = child_start(send_orders, (void *)(uintptr_t)worker);
        int code = child_wait(child_start(serve_under_orders, (void *)(uintptr_t)worker), DEADLINE_MS);
        kill(sender, SIGKILL);
        child_wait(sender, DEADLINE_MS);
        assert_int_equal(code, 0);
}

/* --- spawn_child() ------------------------------------------------------------------------------------------------ */

static int entry(void *context)
{
        sigset_t mask;

        sigprocmask(SIG_SETMASK, NULL, &mask);
        *(int *)context = 1; /* the child's copy */
        atexit(abort);       /* _exit, not exit */
        return sigismember(&mask, SIGUSR2) == 1 && sigismember(&mask, SIGUSR1) == 0 ? 23 : 1;
}

static void test_spawn_child(void **state)
{
        int changed = 0;
        pid_t pid = -1;
        sigset_t odd, before;

        (void)state;
        sigemptyset(&odd);
        sigaddset(&odd, SIGUSR2);
        sigprocmask(SIG_SETMASK, &odd, &before);
        assert_int_equal(spawn_child(entry, &changed, &pid), 0);
        sigprocmask(SIG_SETMASK, &before, NULL);
        assert_int_equal(child_wait(pid, DEADLINE_MS), 23);
        assert_int_equal(changed, 0);
}

int main(int argc, char **argv)
{
        if (argc > 1)
                return handler_main(argv[1]);
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
        /* Close descriptors that we inherited; a worker would not have them. */
        if (length < 0 || close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
                return 1;
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_a_handler_sees),
                cmocka_unit_test(test_stderr_can_be_the_connection),
                cmocka_unit_test(test_is_executing),
                cmocka_unit_test(test_failures_by_name),
                cmocka_unit_test(test_no_more_processes),
                cmocka_unit_test(test_handlers_stay_out_of_the_child),
                cmocka_unit_test(test_pid_is_known_to_signal_handlers),
                cmocka_unit_test(test_spawn_child),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
