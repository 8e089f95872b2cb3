/* A handler for start_method = forkserver and snapshot: it does something before it is stopped, which the first
 * argument of its environment variable DO says, and then copies its input to its output.
 *
 * STARTS=PATH: appends a line there. SAY=WORDS: says them when it has served. MEMORY=BYTES: writes to so much memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As in src/lib/template_words.h. */
struct word {
        uint32_t said, launch, stage, error;
};
enum { LOADED, STOPPED, FAILED, LAUNCHED };

#define HIGHEST_FD 256

/* The socket to the master, which we should not know. */
static int find_socket(void)
{
        for (int fd = 3; fd < HIGHEST_FD; fd++) {
                int type = 0;
                socklen_t length = sizeof(type);
                if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET)
                        return fd;
        }
        return -1;
}

static void say_garbage(void)
{
        static const char bytes[300] = "garbage";

        for (size_t length = 0; length < sizeof(bytes); length++)
                if (send(find_socket(), bytes, length, MSG_NOSIGNAL) < 0)
                        return;
}

/* Workers that nobody ordered, and templates that are ready again and again. */
static void say_words(void)
{
        for (uint32_t i = 0; i < 1000; i++) {
                const struct word word = {.said = i % 7, .launch = i, .stage = UINT32_MAX, .error = UINT32_MAX};
                if (send(find_socket(), &word, sizeof(word), MSG_NOSIGNAL) < 0)
                        return;
        }
}

/* That this is a worker, to whoever orders one. */
static void say_launched(void)
{
        const struct word ready = {.said = STOPPED}, word = {.said = LAUNCHED, .launch = 1};
        char order[64];

        send(find_socket(), &ready, sizeof(ready), MSG_NOSIGNAL);
        if (recv(find_socket(), order, sizeof(order), 0) > 0)
                send(find_socket(), &word, sizeof(word), MSG_NOSIGNAL);
        pause();
}

static void send_descriptors(void)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
        const struct word word = {.said = LOADED, .launch = 1};
        struct iovec data = {.iov_base = (void *)(uintptr_t)&word, .iov_len = sizeof(word)};
        struct msghdr message = {.msg_iov = &data,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};

        memset(CMSG_DATA(&control.header), 0, sizeof(int)); /* descriptor 0 */
        for (int i = 0; i < 50; i++)
                sendmsg(find_socket(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A child of the master. */
static void make_stranger(void)
{
        if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0)
                for (;;)
                        pause();
}

static void make_strangers(void)
{
        for (int i = 0; i < 10; i++)
                make_stranger();
}

/* A child that takes the orders, and says nothing. */
static void steal(void)
{
        int fd = find_socket();
        char order[64];

        if (fork() != 0)
                return;
        while (recv(fd, order, sizeof(order), 0) > 0)
                ;
        _exit(0);
}

/* A child that says things for ever. */
static void flood(void)
{
        static const struct word word = {.said = LOADED, .launch = 1};
        int fd = find_socket();

        if (fork() != 0)
                return;
        while (send(fd, &word, sizeof(word), MSG_NOSIGNAL) >= 0)
                ;
        _exit(0);
}

static void close_socket(void)
{
        syscall(SYS_close, find_socket());
        sleep(1000);
}

/* It is ready, and answers no order. */
static void say_nothing(void)
{
        const struct word ready = {.said = STOPPED};

        send(find_socket(), &ready, sizeof(ready), MSG_NOSIGNAL);
        sleep(1000);
}

static void hang(void)
{
        sleep(1000);
}

static void end(void)
{
        _exit(3);
}

static void crash(void)
{
        raise(SIGSEGV);
}

static const struct {
        const char *name;
        void (*act)(void);
} acts[] = {{"garbage", say_garbage},
            {"words", say_words},
            {"launched", say_launched},
            {"descriptors", send_descriptors},
            {"strangers", make_strangers},
            {"steal", steal},
            {"flood", flood},
            {"close", close_socket},
            {"silent", say_nothing},
            {"hang", hang},
            {"end", end},
            {"crash", crash}};

static void note_start(const char *path)
{
        int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

        if (fd < 0 || write(fd, "start\n", 6) != 6)
                perror(path);
        close(fd);
}

__attribute__((constructor)) static void begin(void)
{
        const char *starts = getenv("STARTS"), *memory = getenv("MEMORY"), *wanted = getenv("DO");
        size_t size = memory ? strtoul(memory, NULL, 10) : 0;
        volatile char *bytes = size > 0 ? malloc(size) : NULL;

        if (starts)
                note_start(starts);
        for (size_t i = 0; bytes && i < size; i += 1024)
                bytes[i] = 'x'; /* for the life of the process */
        for (size_t i = 0; wanted && i < sizeof(acts) / sizeof(acts[0]); i++)
                if (strcmp(acts[i].name, wanted) == 0)
                        acts[i].act();
}

int main(void)
{
        char buffer[4096];
        ssize_t length;

        while ((length = read(0, buffer, sizeof(buffer))) > 0)
                if (write(1, buffer, (size_t)length) != length)
                        return 1;
        if (getenv("SAY"))
                fprintf(stderr, "%s\n", getenv("SAY"));
        return 0;
}
