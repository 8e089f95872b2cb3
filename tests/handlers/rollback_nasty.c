/* long: a table of misdeeds, each of them a line or three.
 *
 * An inetd handler that does to its process what a request is told to do, and answers what its process is like. After
 * a misdeed the next request must find everything as the first one did. Its first line is `probe`, or the name of a
 * misdeed; `list` names them all. */
/* NOLINTBEGIN: misdeeds are its purpose */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <linux/aio_abi.h>
#include <locale.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define SECRET_BYTES 16

extern char **environ;

static char big[4 << 20];
static char data[6 * PAGE] __attribute__((aligned(4096))) = {[0] = 1, [PAGE] = 2, [5 * PAGE] = 3};
static int counter;
static __thread int local = 4;
static char *heap_block;
static char *mapped, *advised;
static char *volatile large;
static int file = -1;
static jmp_buf jump;

static void *run_thread(void *argument)
{
        if (argument)
                pause();
        return NULL;
}

/* What prevents rollback, or what it must cope with. */
static void be_unfit(const char *what)
{
        pthread_t thread;
        aio_context_t context = 0;
        char parameters[120] = "";

        if (strcmp(what, "thread") == 0)
                pthread_create(&thread, NULL, run_thread, big);
        else if (strcmp(what, "lock") == 0)
                mlock(mapped, PAGE);
        else if (strcmp(what, "dumpable") == 0)
                prctl(PR_SET_DUMPABLE, 0);
        else if (strcmp(what, "mdwe") == 0)
                prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0);
        else if (strcmp(what, "aio") == 0)
                syscall(SYS_io_setup, 8, &context);
        else if (strcmp(what, "io_uring") == 0)
                syscall(SYS_io_uring_setup, 8, parameters);
        else if (strcmp(what, "large") == 0)
                large = memset(malloc(32 << 20), 'l', 32 << 20);
}

/* Before main(): what a program may have when it is stopped. */
__attribute__((constructor)) static void prepare(void)
{
        char bytes[10];

        file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        (void)!read(file, bytes, sizeof(bytes));
        heap_block = malloc(20000);
        memset(heap_block, 'h', 20000);
        mapped = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(mapped, 'm', 32 * PAGE);
        advised = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(advised, 'a', 16 * PAGE);
        be_unfit(getenv("NASTY_BEFORE") ?: "");
}

/* --- the probe ---------------------------------------------------------------------------------------------------- */

static uint64_t hash(uint64_t start, const void *bytes, size_t size)
{
        for (size_t i = 0; i < size; i++)
                start = (start ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
        return start;
}

static void make_secret(char *secret)
{
        for (int i = 0; i < SECRET_BYTES; i++)
                secret[i] = (char)('A' + (i * 7 + 3) % 26 + (i & 1 ? 32 : 0));
}

static size_t read_file(const char *path, char *text, size_t size)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        size_t length = 0;
        ssize_t r;

        while (length + 1 < size && (r = read(fd, text + length, size - 1 - length)) > 0)
                length += (size_t)r;
        close(fd);
        text[length] = '\0';
        return length;
}

/* How often the secret is in memory, wherever it can be read; but not on the stack of this function. */
static int find_secrets(const char *maps)
{
        char secret[SECRET_BYTES];
        int found = 0;

        make_secret(secret);
        for (const char *line = maps; line && *line; line = strchr(line, '\n'), line += line != NULL) {
                unsigned long start, end;
                char flags[8];
                if (sscanf(line, "%lx-%lx %7s", &start, &end, flags) != 3 || flags[0] != 'r' || flags[1] != 'w')
                        continue;
                for (char *at = (char *)start; (at = memmem(at, end - (unsigned long)at, secret, SECRET_BYTES)); at++)
                        found += at != secret;
        }
        return found;
}

/* Of all mappings; neighbours that the kernel may merge or not are one. */
static uint64_t hash_mappings(const char *maps)
{
        unsigned long start, end, last_end = 0;
        char flags[8], inode[20], last[8] = "";
        uint64_t sum = 0;

        for (const char *line = maps; line && *line; line = strchr(line, '\n'), line += line != NULL) {
                if (sscanf(line, "%lx-%lx %7s %*s %*s %19s", &start, &end, flags, inode) != 4)
                        continue;
                if (start != last_end || strcmp(flags, last) != 0 || strcmp(inode, "0") != 0) {
                        sum = hash(sum, &last_end, sizeof(last_end));
                        sum = hash(sum, &start, sizeof(start));
                        sum = hash(sum, line + strcspn(line, " "), strcspn(line, "\n") - strcspn(line, " "));
                }
                last_end = end;
                strcpy(last, strcmp(inode, "0") == 0 ? flags : "");
        }
        return sum;
}

static void show_memory(void)
{
        static char maps[1 << 16], smaps[1 << 18];
        uint64_t flags = 0;

        read_file("/proc/self/maps", maps, sizeof(maps));
        printf("data=%lx\nbig=%lx\n", hash(0, data, sizeof(data)), hash(0, big, sizeof(big)));
        printf("heap=%p %lx\n", heap_block, hash(0, heap_block, 20000));
        printf("mapped=%lx\nadvised=%lx\n", hash(0, mapped, 64 * PAGE), hash(0, advised, 16 * PAGE));
        printf("counter=%d %d\nrandom=%d\nlocale=%s\n", counter, local, rand(), setlocale(LC_ALL, NULL));
        printf("secrets=%d\nmaps=%lx\nbreak=%p\n", find_secrets(maps), hash_mappings(maps), sbrk(0));
        read_file("/proc/self/smaps", smaps, sizeof(smaps));
        for (char *at = smaps; (at = strstr(at, "VmFlags:")); at++)
                flags = hash(flags, at, strcspn(at, "\n"));
        printf("flags=%lx\n", flags);
        for (char **variable = environ; *variable; variable++)
                printf("environment=%s\n", *variable);
}

static void show_signals(void)
{
        struct itimerval timer;
        stack_t stack;
        sigset_t mask, pending;
        uint64_t actions = 0;

        for (int i = 1; i < 65; i++) {
                struct sigaction action = {0};
                if (sigaction(i, NULL, &action) < 0)
                        continue;
                /* Of the mask what the kernel has; glibc leaves in the rest what has been on the stack. */
                actions = hash(actions, &action.sa_handler, sizeof(action.sa_handler));
                actions = hash(actions, &action.sa_mask, sizeof(uint64_t));
                actions = hash(actions, &action.sa_flags, sizeof(action.sa_flags));
        }
        sigprocmask(0, NULL, &mask);
        sigpending(&pending);
        getitimer(ITIMER_REAL, &timer);
        sigaltstack(NULL, &stack);
        printf("actions=%lx\nmask=%lx %lx\ntimer=%ld\n", actions, *(long *)&mask, *(long *)&pending,
               timer.it_value.tv_sec);
        printf("altstack=%d %p\n", stack.ss_flags, stack.ss_sp);
}

static void show_thread(void)
{
        ptrdiff_t *offset = dlsym(RTLD_DEFAULT, "__rseq_offset");
        int *processor = (int *)((char *)__builtin_thread_pointer() + *offset + 4);
        unsigned sse;
        int *id = NULL;
        void *robust = NULL;
        size_t size = 0;

        __asm__ volatile("stmxcsr %0" : "=m"(sse));
        prctl(40 /* PR_GET_TID_ADDRESS */, &id);
        syscall(SYS_get_robust_list, 0, &robust, &size);
        printf("sse=%x %d\n", sse & ~0x3fU, fegetround());
        printf("thread=%d %p %p %zu\n", id ? *id == gettid() : -1, (void *)id, robust, size);
        printf("rseq=%d\n", *processor >= 0);
}

static void show_process(void)
{
        char text[4096];
        struct rlimit limit;
        uint64_t limits = 0;
        cpu_set_t processors;
        int death = 0;
        char name[20] = "";
        int fds = 0;

        for (int i = 0; i < 16; i++)
                if (getrlimit(i, &limit) == 0)
                        limits = hash(limits, &limit, sizeof(limit));
        for (int i = 0; i < 1024; i++)
                fds += fcntl(i, F_GETFD) >= 0;
        sched_getaffinity(0, sizeof(processors), &processors);
        prctl(PR_GET_PDEATHSIG, &death);
        prctl(PR_GET_NAME, name);
        mode_t mask = umask(0);
        umask(mask);
        printf("cwd=%s\numask=%o\nlimits=%lx\nfds=%d\n", getcwd(text, sizeof(text)), mask, limits, fds);
        printf("name=%s\ndeath=%d\nprocessors=%d\nnice=%d\n", name, death, CPU_COUNT(&processors), getpriority(0, 0));
        printf("personality=%x\ngroup=%d\nuid=%d\n", personality(0xffffffff), getpgid(0) == getpgid(getppid()),
               getuid());
        printf("dumpable=%d\nhuge=%d\nmerging=%d\n", prctl(PR_GET_DUMPABLE), prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0),
               prctl(68, 0, 0, 0, 0));
        printf("position=%ld\nchildren=%d\n", lseek(file, 0, SEEK_CUR), wait(NULL));
        read_file("/proc/self/status", text, sizeof(text));
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
                if (!strncmp(line, "Threads:", 8) || !strncmp(line, "VmLck:", 6) || !strncmp(line, "VmStk:", 6) ||
                    !strncmp(line, "NoNewPrivs:", 11) || !strncmp(line, "Seccomp:", 8))
                        printf("%s\n", line);
}

static void probe(void)
{
        show_thread();
        show_signals();
        show_process();
        show_memory();
}

/* --- misdeeds ----------------------------------------------------------------------------------------------------- */

static void on_signal(int signal)
{
        (void)signal;
}

static void on_signal_exit(int signal)
{
        (void)signal;
        (void)!write(1, "left\n", 5);
        _exit(0);
}

static void on_signal_jump(int signal)
{
        longjmp(jump, signal);
}

static int run_process(void *argument)
{
        (void)argument;
        return usleep(300000);
}

/* The secret on stack, heap and in static memory. */
static void spread(int depth)
{
        char bytes[2048];

        for (size_t i = 0; i + SECRET_BYTES < sizeof(bytes); i += SECRET_BYTES)
                make_secret(bytes + i);
        if (depth > 0)
                spread(depth - 1);
        __asm__ volatile("" : : "r"(bytes) : "memory");
}

static void fill(char *memory, size_t size)
{
        for (size_t i = 0; i + SECRET_BYTES <= size; i += SECRET_BYTES)
                make_secret(memory + i);
}

static char *map_at(void *address, size_t size, int more)
{
        return mmap(address, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | more, -1, 0);
}

static void change_limit(int which, rlim_t soft)
{
        struct rlimit limit;

        getrlimit(which, &limit);
        limit.rlim_cur = soft;
        setrlimit(which, &limit);
}

static void start_timer(void)
{
        timer_t timer;
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
        struct itimerspec when = {.it_value = {.tv_nsec = 100000000}};

        timer_create(CLOCK_MONOTONIC, &event, &timer);
        timer_settime(timer, 0, &when, NULL);
}

/* Its text changed, and protected again as it was. */
static void change_text(void)
{
        char *page = (char *)((uintptr_t)on_signal & ~(PAGE - 1));

        mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
        page[0] = page[0];
}

static void read_whole_file(void)
{
        char bytes[4096];

        while (read(file, bytes, sizeof(bytes)) > 0)
                ;
}

static void share_stack_memory(int flags)
{
        char *stack = malloc(65536);

        clone(run_process, stack + 65536, flags, NULL);
}

static void raise_plain(int number)
{
        fflush(stdout);
        signal(number, SIG_DFL);
        raise(number);
}

static void leave_by_jump(void)
{
        if (setjmp(jump) == 0) {
                signal(SIGUSR1, on_signal_jump);
                raise(SIGUSR1);
        }
}

/* clang-format off: a table */
#define MISDEEDS(X)                                                                                                    \
        X(nothing, )                                                                                                   \
        X(statics, counter = 5; local = 9; fill(big + 100000, 3000000); fill(data, sizeof(data)))                      \
        X(heap, for (int i = 0; i < 100; i++) fill(malloc(10000 * i + 1), 10000 * i + 1))                              \
        X(heap_block, fill(heap_block, 20000); free(heap_block))                                                       \
        X(heap_corrupt, memset(heap_block - 32, 0x5a, 20064))                                                          \
        X(heap_large, fill(malloc(60 << 20), 60 << 20))                                                                \
        X(heap_trim, free(heap_block); malloc_trim(0))                                                                 \
        X(stack, spread(30))                                                                                           \
        X(stack_deep, spread(2000))                                                                                    \
        X(stack_protect, mprotect((void *)((uintptr_t)__builtin_frame_address(0) & ~(PAGE - 1)), PAGE, 7))             \
        X(break_grown, fill(sbrk(1 << 20), 1 << 20))                                                                   \
        X(break_shrunk, brk((char *)sbrk(0) - 8 * PAGE))                                                               \
        X(break_remade, char *end = sbrk(0); brk(end - 30 * PAGE); brk(end))                                           \
        X(mapped_new, fill(map_at(NULL, 1 << 20, 0), 1 << 20); map_at((void *)0x10000000, PAGE, MAP_FIXED))            \
        X(mapped_written, fill(mapped, 64 * PAGE))                                                                     \
        X(mapped_gone, munmap(mapped, 64 * PAGE))                                                                      \
        X(mapped_cut, munmap(mapped + 8 * PAGE, 8 * PAGE))                                                             \
        X(mapped_moved, mremap(mapped, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x20000000))       \
        X(mapped_grown, mremap(mapped, 64 * PAGE, 640 * PAGE, MREMAP_MAYMOVE))                                         \
        X(mapped_shrunk, mremap(mapped, 64 * PAGE, 6 * PAGE, 0))                                                       \
        X(mapped_elsewhere, munmap(mapped, 64 * PAGE); fill(map_at((void *)0x30000000, 64 * PAGE, MAP_FIXED), PAGE))   \
        X(mapped_again, munmap(mapped, 64 * PAGE); fill(map_at(mapped, 64 * PAGE, MAP_FIXED), PAGE))                   \
        X(mapped_file, mmap(mapped, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0))                            \
        X(mapped_shared, fill(mmap(NULL, 1 << 16, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0), 1 << 16))                     \
        X(protect_none, mprotect(mapped, 64 * PAGE, PROT_NONE))                                                        \
        X(protect_read, fill(mapped, 9 * PAGE); mprotect(mapped + PAGE, 8 * PAGE, PROT_READ))                          \
        X(protect_execute, mprotect(mapped, 64 * PAGE, 7))                                                             \
        X(protect_data, mprotect(data, PAGE, PROT_READ))                                                               \
        X(protect_text, change_text())                                                                                 \
        X(unmap_bss, char *page = (char *)(((uintptr_t)big + 3 * PAGE) & ~(PAGE - 1)); munmap(page, 16 * PAGE))        \
        X(unmap_data, munmap(data + PAGE, PAGE))                                                                       \
        X(forget_mapped, madvise(mapped, 64 * PAGE, MADV_DONTNEED))                                                    \
        X(forget_some, mapped[0] = 1; madvise(mapped, 8 * PAGE, MADV_DONTNEED); counter = mapped[PAGE])                \
        X(forget_data, madvise(data, sizeof(data), MADV_DONTNEED))                                                     \
        X(forget_heap, madvise((char *)((uintptr_t)heap_block & ~(PAGE - 1)) + PAGE, 2 * PAGE, MADV_DONTNEED))         \
        X(free_lazily, madvise(mapped, 64 * PAGE, MADV_FREE))                                                          \
        X(page_out, madvise(mapped, 64 * PAGE, MADV_PAGEOUT))                                                          \
        X(wipe_on_fork, madvise(advised, 16 * PAGE, MADV_WIPEONFORK))                                                  \
        X(not_in_children, madvise(advised, 16 * PAGE, MADV_DONTFORK))                                                 \
        X(not_in_dumps, madvise(advised + PAGE, PAGE, MADV_DONTDUMP))                                                  \
        X(lock, mlock(mapped, 8 * PAGE))                                                                               \
        X(lock_all, mlockall(MCL_CURRENT | MCL_FUTURE))                                                                \
        X(directory, (void)!chdir("/tmp"))                                                                             \
        X(mask, umask(0777))                                                                                           \
        X(actions, signal(SIGUSR1, on_signal); signal(SIGALRM, SIG_IGN))                                               \
        X(blocked, sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, NULL))                                 \
        X(pending, sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, NULL); raise(SIGUSR2))                 \
        X(limit, change_limit(RLIMIT_NOFILE, 500))                                                                     \
        X(limit_stack, change_limit(RLIMIT_STACK, 100000))                                                             \
        X(timer, alarm(2))                                                                                             \
        X(timer_posix, start_timer())                                                                                  \
        X(fds, for (int i = 0; i < 50; i++) open("/dev/null", O_RDONLY); dup2(1, 40))                                  \
        X(fds_closed, fflush(stdout); for (int i = 2; i < 1024; i++) close(i))                                         \
        X(position, read_whole_file())                                                                                 \
        X(not_blocking, fcntl(0, F_SETFL, O_NONBLOCK))                                                                 \
        X(name, prctl(PR_SET_NAME, "evil"))                                                                            \
        X(altstack, stack_t s = {.ss_sp = malloc(65536), .ss_size = 65536}; sigaltstack(&s, NULL))                     \
        X(environment, setenv("NASTY", "1", 1); environ[0] = strdup("A=b"))                                            \
        X(rounding, fesetround(FE_DOWNWARD))                                                                           \
        X(exceptions, feenableexcept(FE_DIVBYZERO))                                                                    \
        X(death, prctl(PR_SET_PDEATHSIG, SIGTERM))                                                                     \
        X(library, dlopen("libz.so.1", RTLD_NOW) ?: dlopen("libresolv.so.2", RTLD_NOW))                                \
        X(random, srand(77))                                                                                           \
        X(locale, setlocale(LC_ALL, "C.UTF-8"))                                                                        \
        X(thread, pthread_t t; pthread_create(&t, NULL, run_thread, NULL); pthread_join(t, NULL))                      \
        X(thread_left, pthread_t t; pthread_create(&t, NULL, run_thread, big))                                         \
        X(thread_exit, pthread_exit(NULL))                                                                             \
        X(sequences, syscall(SYS_rseq, 0, 0, 1, 0))                                                                    \
        X(robust, syscall(SYS_set_robust_list, big, 24))                                                               \
        X(tid_address, syscall(SYS_set_tid_address, &counter))                                                         \
        X(                                                                                                             \
                child, if (fork() == 0) {                                                                              \
                        usleep(200000);                                                                                \
                        _exit(0);                                                                                      \
                })                                                                                                     \
        X(child_zombie, if (fork() == 0) _exit(0); usleep(1000))                                                       \
        X(child_waited, if (fork() == 0) exit(0); wait(NULL))                                                          \
        X(                                                                                                             \
                child_stopped, pid_t p = fork(); if (p == 0) {                                                         \
                        raise(SIGSTOP);                                                                                \
                        _exit(0);                                                                                      \
                } kill(p, SIGKILL))                                                                                    \
        X(child_shares, share_stack_memory(CLONE_VM | SIGCHLD))                                                        \
        X(child_of_worker, share_stack_memory(CLONE_PARENT | SIGCHLD))                                                 \
        X(shell, fflush(stdout); (void)!system("echo from a shell"))                                                   \
        X(daemonise, fflush(stdout); (void)!daemon(0, 1); usleep(100000); _exit(0))                                    \
        X(session, setpgid(0, 0); setsid())                                                                            \
        X(nice, (void)!nice(3))                                                                                        \
        X(personality, personality(ADDR_NO_RANDOMIZE))                                                                 \
        X(affinity, cpu_set_t s; CPU_ZERO(&s); CPU_SET(0, &s); sched_setaffinity(0, sizeof(s), &s))                    \
        X(privileges, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))                                                          \
        X(credentials, (void)!setgid(65534); (void)!setuid(65534))                                                     \
        X(not_dumpable, prctl(PR_SET_DUMPABLE, 0))                                                                     \
        X(huge_pages, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))                                                           \
        X(merging, prctl(67, 1, 0, 0, 0))                                                                              \
        X(write_execute, prctl(65, 1, 0, 0, 0))                                                                        \
        X(aio, aio_context_t context = 0; syscall(SYS_io_setup, 8, &context))                                          \
        X(segv, raise_plain(SIGSEGV))                                                                                  \
        X(null_pointer, fflush(stdout); *(volatile int *)0 = 1)                                                        \
        X(abort, abort())                                                                                              \
        X(bus, raise_plain(SIGBUS))                                                                                    \
        X(ill, raise_plain(SIGILL))                                                                                    \
        X(fpe, raise_plain(SIGFPE))                                                                                    \
        X(sys, raise_plain(SIGSYS))                                                                                    \
        X(trap, raise_plain(SIGTRAP))                                                                                  \
        X(term, raise_plain(SIGTERM))                                                                                  \
        X(kill, raise_plain(SIGKILL))                                                                                  \
        X(pipe, raise_plain(SIGPIPE))                                                                                  \
        X(alarmed, raise_plain(SIGALRM))                                                                               \
        X(processor_time, raise_plain(SIGXCPU))                                                                        \
        X(hangup, raise_plain(SIGHUP))                                                                                 \
        X(at_exit, atexit(read_whole_file))                                                                            \
        X(exit_in_handler, signal(SIGALRM, on_signal_exit); fflush(stdout); raise(SIGALRM))                            \
        X(jump_out, leave_by_jump())                                                                                   \
        X(exit_quick, fflush(stdout); quick_exit(0))                                                                   \
        X(exit_raw, fflush(stdout); syscall(SYS_exit_group, 0))                                                        \
        X(execute, fflush(stdout); execl("/bin/echo", "echo", "from echo", (char *)NULL))                              \
        X(connection_closed, fflush(stdout); close(0); close(1); open("/dev/null", O_RDWR); open("/dev/null", O_RDWR)) \
        X(unflushed, setvbuf(stdout, big, _IOFBF, 1 << 20); printf("text without an end"))
/* clang-format on */

#define X(name, ...)                                                                                                   \
        static void do_##name(void)                                                                                    \
        {                                                                                                              \
                __VA_ARGS__;                                                                                           \
        }
MISDEEDS(X)
#undef X

static const struct {
        const char *name;
        void (*run)(void);
} misdeeds[] = {
#define X(name, ...) {#name, do_##name},
        MISDEEDS(X)
#undef X
};

int main(void)
{
        char line[100];

        if (!fgets(line, sizeof(line), stdin))
                return 1;
        line[strcspn(line, "\r\n")] = '\0';
        printf("worker=%d\n", getppid());
        if (strcmp(line, "probe") == 0)
                probe();
        for (size_t i = 0; i < sizeof(misdeeds) / sizeof(misdeeds[0]); i++)
                if (strcmp(line, "list") == 0)
                        printf("%s\n", misdeeds[i].name);
                else if (strcmp(line, misdeeds[i].name) == 0)
                        misdeeds[i].run();
        puts("done");
        return 0;
}
/* NOLINTEND */
