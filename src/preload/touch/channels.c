#include "preload/touch/channels.h"

#include "base/cleanup.h"
#include "lib/sys.h"
#include "preload/touch/proc_text.h"

#define CHANNELS_MAX 64
#define STDERR_FD 2

struct channel {
        enum channel_kind kind;
        int fd;
        bool settled;
        int same_as; /* the descriptor of the same end, which is renewed before; -1: none */
        int partner; /* of a pipe's reading end, or of the first of two sockets: the descriptor of the other; else -1 */
        int type;    /* of a socket */
        long descriptor_flags, flags;
        dev_t device;
        ino_t inode;
        uint64_t id, value; /* of an eventfd */
        bool is_semaphore;
};

static struct {
        struct channel channels[CHANNELS_MAX];
        int count;
        char text[1024]; /* of a file in /proc */
} state;

bool channels_is_stderr(int fd, const struct stat *status)
{
        struct stat ours = {0};
        long mode = SYS_3(__NR_fcntl, fd, F_GETFL, 0) & O_ACCMODE;

        return sys_fstat(STDERR_FD, &ours) == 0 && ours.st_ino == status->st_ino && ours.st_dev == status->st_dev &&
               (SYS_3(__NR_fcntl, STDERR_FD, F_GETFL, 0) & O_ACCMODE) == mode;
}

void channels_begin(void)
{
        state.count = 0;
}

bool channels_add(enum channel_kind kind, int fd, const struct stat *status)
{
        if (state.count == CHANNELS_MAX)
                return false;
        state.channels[state.count++] = (struct channel){.kind = kind,
                                                         .fd = fd,
                                                         .same_as = -1,
                                                         .partner = -1,
                                                         .descriptor_flags = SYS_3(__NR_fcntl, fd, F_GETFD, 0),
                                                         .flags = SYS_3(__NR_fcntl, fd, F_GETFL, 0),
                                                         .device = status->st_dev,
                                                         .inode = status->st_ino};
        return true;
}

/* An older kernel says less: then two descriptors of one eventfd are taken for two, and none for a semaphore. */
static bool settle_event(struct channel *channel)
{
        char path[PROC_PATH];

        proc_path(path, "/proc/self/fdinfo/", channel->fd);
        if (proc_read(path, state.text, sizeof(state.text)) <= 0)
                return false;
        const char *count = proc_line(state.text, "eventfd-count:"), *id = proc_line(state.text, "eventfd-id:"),
                   *semaphore = proc_line(state.text, "eventfd-semaphore:");
        if (!count)
                return false;
        channel->value = proc_number(count, "eventfd-count:", 16);
        channel->is_semaphore = semaphore && proc_number(semaphore, "eventfd-semaphore:", 10) == 1;
        channel->id = id ? proc_number(id, "eventfd-id:", 10) + 1 : 0;
        for (struct channel *other = state.channels; other < channel && channel->id > 0; other++)
                if (other->kind == CHANNEL_EVENT && other->id == channel->id)
                        channel->same_as = other->fd;
        return true;
}

static bool is_same(const struct channel *channel, const struct channel *other)
{
        return other->kind == channel->kind && other->inode == channel->inode && other->device == channel->device;
}

static bool is_reader(const struct channel *channel)
{
        return (channel->flags & O_ACCMODE) == O_RDONLY;
}

/* A named pipe can be had by others. */
static bool has_name(int fd)
{
        static const char expected[] = "pipe:[";
        char path[PROC_PATH];
        char name[sizeof(expected)] = {0};

        proc_path(path, "/proc/self/fd/", fd);
        long length = SYS_4(__NR_readlinkat, AT_FDCWD, path, name, sizeof(expected) - 1);
        name[sizeof(expected) - 1] = '\0';
        return length < (long)sizeof(expected) - 1 || !proc_is(name, expected);
}

/* All descriptors of that pipe: each end is made once, and copied to the other numbers. */
static bool settle_pipe(struct channel *first)
{
        struct channel *ends[2] = {NULL, NULL};

        for (struct channel *other = first; other < state.channels + state.count; other++) {
                if (!is_same(first, other))
                        continue;
                struct channel **end = &ends[is_reader(other)];
                other->settled = true;
                if ((other->flags & O_ACCMODE) == O_RDWR)
                        return false;
                if (*end)
                        other->same_as = (*end)->fd;
                else
                        *end = other;
        }
        if (!ends[0] || !ends[1] || has_name(first->fd) || sys_readable_bytes(ends[1]->fd) != 0)
                return false;
        ends[1]->partner = ends[0]->fd;
        return true;
}

/* Both ends of a socketpair(2) have this process as their peer, and no other connection has. */
static bool is_own(const struct channel *channel)
{
        struct {
                pid_t pid;
                unsigned uid, gid;
        } peer = {0};
        socklen_t size = sizeof(peer);

        return SYS_5(__NR_getsockopt, channel->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
               peer.pid == sys_getpid() && sys_readable_bytes(channel->fd) == 0;
}

static bool is_free(const struct channel *channel)
{
        return channel->kind == CHANNEL_SOCKET && !channel->settled;
}

/* A byte that is sent from the one arrives at the other, where it is taken out again. */
static struct channel *find_partner(const struct channel *first)
{
        struct channel *found = NULL;
        char byte = 0;

        if (SYS_6(__NR_sendto, first->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0) != 1)
                return NULL;
        for (struct channel *other = state.channels; other < state.channels + state.count && !found; other++)
                if (is_free(other) && !is_same(first, other) && sys_readable_bytes(other->fd) == 1 &&
                    SYS_6(__NR_recvfrom, other->fd, &byte, 1, MSG_DONTWAIT, 0, 0) == 1)
                        found = other;
        return found;
}

static void settle_copies(const struct channel *first)
{
        for (struct channel *other = state.channels; other < state.channels + state.count; other++)
                if (other != first && is_same(first, other)) {
                        other->settled = true;
                        other->same_as = first->fd;
                }
}

static bool settle_socket(struct channel *first)
{
        if (!is_own(first) || sys_socket_option(first->fd, SO_TYPE, &first->type) < 0)
                return false;
        struct channel *other = find_partner(first);
        if (!other || !is_own(other))
                return false;
        first->partner = other->fd;
        first->settled = other->settled = true;
        settle_copies(first);
        settle_copies(other);
        return true;
}

static bool settle(struct channel *channel)
{
        switch (channel->kind) {
        case CHANNEL_EVENT:
                return settle_event(channel);
        case CHANNEL_SOCKET:
                return settle_socket(channel);
        case CHANNEL_PIPE:
                return settle_pipe(channel);
        case CHANNEL_STDERR:
                channel->same_as = STDERR_FD;
                break;
        }
        return true;
}

enum touch_refusal channels_settle(int *ret_fd)
{
        static const enum touch_refusal refusals[] = {[CHANNEL_EVENT] = TOUCH_SHARED_OBJECT,
                                                      [CHANNEL_PIPE] = TOUCH_PIPE,
                                                      [CHANNEL_SOCKET] = TOUCH_CONNECTION,
                                                      [CHANNEL_STDERR] = TOUCH_SHARED_OBJECT};

        for (int i = 0; i < state.count; i++)
                if (!state.channels[i].settled && !settle(&state.channels[i])) {
                        *ret_fd = state.channels[i].fd;
                        return refusals[state.channels[i].kind];
                }
        return TOUCH_FINE;
}

static bool put(int fd, const struct channel *channel)
{
        return sys_put(fd, channel->fd, channel->descriptor_flags) >= 0;
}

static const struct channel *find(int fd)
{
        const struct channel *channel = state.channels;

        while (channel->fd != fd)
                channel++;
        return channel;
}

static bool put_end(int fd, const struct channel *channel)
{
        bool done = fd >= 0 && SYS_3(__NR_fcntl, fd, F_SETFL, channel->flags) >= 0 && put(fd, channel);

        if (fd >= 0)
                sys_close(fd);
        return done;
}

static bool make_again(const struct channel *channel)
{
        int ends[2] = {-1, -1};

        if (channel->kind == CHANNEL_EVENT)
                return put_end((int)SYS_2(__NR_eventfd2, 0, channel->is_semaphore ? EFD_SEMAPHORE : 0), channel) &&
                       (channel->value == 0 ||
                        sys_write(channel->fd, &channel->value, sizeof(channel->value)) == sizeof(channel->value));
        if (channel->partner < 0)
                return true; /* it is made with the other end */
        if (channel->kind == CHANNEL_PIPE)
                SYS_2(__NR_pipe2, ends, 0);
        else
                SYS_4(__NR_socketpair, AF_UNIX, channel->type, 0, ends);
        bool one = put_end(ends[0], channel), other = put_end(ends[1], find(channel->partner));
        return one && other;
}

bool channels_renew(void)
{
        for (int i = 0; i < state.count; i++)
                if (state.channels[i].same_as < 0 && !make_again(&state.channels[i]))
                        return false;
        for (int i = 0; i < state.count; i++)
                if (state.channels[i].same_as >= 0 && !put(state.channels[i].same_as, &state.channels[i]))
                        return false;
        return true;
}
