/* A handler that looks around: writes, as one JSON object, everything a program inherits.
 *
 * tests/integration compares it with what preforkd-handler(7) promises. Descriptors are looked at before anything is
 * opened. Numbers that have no limit (RLIM_INFINITY) are -1. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void put_string(const char *string)
{
        putchar('"');
        for (; *string; string++) {
                unsigned char byte = (unsigned char)*string;
                if (byte == '"' || byte == '\\')
                        printf("\\%c", byte);
                else if (byte < 0x20 || byte >= 0x7f)
                        printf("\\u%04x", byte);
                else
                        putchar(byte);
        }
        putchar('"');
}

static void put_strings(const char *name, char **list)
{
        printf("\"%s\":[", name);
        for (char **string = list; *string; string++) {
                if (string != list)
                        putchar(',');
                put_string(*string);
        }
        printf("],\n");
}

/* Every open descriptor below a bound no test reaches; F_GETFD opens nothing itself. */
static void put_descriptors(void)
{
        bool first = true;

        printf("\"fds\":[");
        for (int fd = 0; fd < 4096; fd++) {
                char path[64], target[4096];
                if (fcntl(fd, F_GETFD) < 0)
                        continue;
                snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                ssize_t length = readlink(path, target, sizeof(target) - 1);
                target[length < 0 ? 0 : length] = '\0';
                printf("%s{\"fd\":%d,\"nonblocking\":%s,\"target\":", first ? "" : ",", fd,
                       fcntl(fd, F_GETFL) & O_NONBLOCK ? "true" : "false");
                put_string(target);
                putchar('}');
                first = false;
        }
        printf("],\n");
}

/* Signal numbers for which `wanted` holds: 'b' blocked, 'p' pending, 'i' ignored, 'c' caught. */
static void put_signals(const char *name, char wanted)
{
        sigset_t blocked, pending;
        bool first = true;

        sigprocmask(SIG_BLOCK, NULL, &blocked);
        sigpending(&pending);
        printf("\"%s\":[", name);
        for (int number = 1; number < NSIG; number++) {
                struct sigaction action;
                bool holds = false;
                if (wanted == 'b')
                        holds = sigismember(&blocked, number) == 1;
                else if (wanted == 'p')
                        holds = sigismember(&pending, number) == 1;
                else if (sigaction(number, NULL, &action) == 0)
                        holds = wanted == 'i' ? action.sa_handler == SIG_IGN
                                              : action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL;
                if (!holds)
                        continue;
                printf("%s%d", first ? "" : ",", number);
                first = false;
        }
        printf("],\n");
}

static void put_limits(void)
{
        static const struct {
                const char *name;
                int resource;
        } limits[] = {
                {"nofile", RLIMIT_NOFILE}, {"as", RLIMIT_AS},       {"core", RLIMIT_CORE}, {"cpu", RLIMIT_CPU},
                {"nproc", RLIMIT_NPROC},   {"stack", RLIMIT_STACK}, {"data", RLIMIT_DATA}, {"fsize", RLIMIT_FSIZE},
        };
        const size_t count = sizeof(limits) / sizeof(limits[0]);

        printf("\"limits\":{");
        for (size_t i = 0; i < count; i++) {
                struct rlimit limit;
                if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit) < 0)
                        continue;
                printf("%s\"%s\":[%lld,%lld]", i ? "," : "", limits[i].name,
                       limit.rlim_cur == RLIM_INFINITY ? -1LL : (long long)limit.rlim_cur,
                       limit.rlim_max == RLIM_INFINITY ? -1LL : (long long)limit.rlim_max);
        }
        printf("},\n");
}

static void put_credentials(void)
{
        uid_t uid[3];
        gid_t gid[3], groups[1024];
        int count = getgroups(1024, groups);

        getresuid(&uid[0], &uid[1], &uid[2]);
        getresgid(&gid[0], &gid[1], &gid[2]);
        printf("\"uid\":[%u,%u,%u],\n", uid[0], uid[1], uid[2]);
        printf("\"gid\":[%u,%u,%u],\n\"groups\":[", gid[0], gid[1], gid[2]);
        for (int i = 0; i < count; i++)
                printf("%s%u", i ? "," : "", groups[i]);
        printf("],\n");
}

/* The capability sets, as /proc/self/status writes them. */
static void put_capabilities(void)
{
        char line[256], name[16], value[32];
        FILE *file = fopen("/proc/self/status", "re");

        printf("\"capabilities\":{");
        for (bool first = true; file && fgets(line, sizeof(line), file);)
                if (sscanf(line, "Cap%15[A-Za-z]: %31s", name, value) == 2) {
                        printf("%s\"%s\":\"%s\"", first ? "" : ",", name, value);
                        first = false;
                }
        printf("},\n");
        if (file)
                fclose(file);
}

static long read_number(const char *path)
{
        char line[32] = "";
        FILE *file = fopen(path, "re");

        if (!file)
                return 0;
        const char *read = fgets(line, sizeof(line), file);
        fclose(file);
        return read ? strtol(read, NULL, 10) : 0;
}

/* With start_method = snapshot, what is seen before this is what the worker's process had. */
static void touch_connection(void)
{
        struct sockaddr_storage address;
        socklen_t length = sizeof(address);

        getsockname(STDIN_FILENO, (struct sockaddr *)&address, &length);
}

int main(int argc, char **argv)
{
        char cwd[4096];
        int death_signal = 0;
        mode_t mask = umask(0);

        (void)argc;
        touch_connection();
        printf("{");
        put_descriptors();
        put_signals("blocked", 'b');
        put_signals("pending", 'p');
        put_signals("ignored", 'i');
        put_signals("caught", 'c');
        put_strings("argv", argv);
        put_strings("environment", environ);
        put_limits();
        put_credentials();
        put_capabilities();
        printf("\"nice\":%d,\n\"umask\":%u,\n", getpriority(PRIO_PROCESS, 0), (unsigned)mask);
        prctl(PR_GET_PDEATHSIG, &death_signal);
        printf("\"parent_death_signal\":%d,\n\"no_new_privs\":%d,\n\"dumpable\":%d,\n", death_signal,
               prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_DUMPABLE));
        printf("\"oom_score_adj\":%ld,\n", read_number("/proc/self/oom_score_adj"));
        printf("\"pid\":%d,\"ppid\":%d,\"pgid\":%d,\"sid\":%d,\n", getpid(), getppid(), getpgrp(), getsid(0));
        printf("\"cwd\":");
        put_string(getcwd(cwd, sizeof(cwd)) ? cwd : "");
        printf("}\n");
        return fflush(stdout) == 0 ? 0 : 1;
}
