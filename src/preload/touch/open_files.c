#include "preload/touch/open_files.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "lib/sys.h"
#include "preload/touch/channels.h"
#include "preload/touch/guard.h"
#include "preload/touch/proc_text.h"
#include "preload/touch/stand_in.h"

#define FILES_MAX 64
#define WATCHES_MAX 64
#define STAND_INS_MAX 8
#define FIRST 3 /* the first descriptor that the program may have opened */

enum kind { KIND_FILE, KIND_EPOLL };

struct file {
        enum kind kind;
        int fd;
        int same_as; /* the descriptor before it that is the same open file; -1: none */
        long descriptor_flags, flags, offset;
        dev_t device;
        ino_t inode;
};

struct watch {
        int epoll_fd, fd;
        struct epoll_event event;
};

static struct {
        struct file files[FILES_MAX];
        struct watch watches[WATCHES_MAX];
        int stand_ins[STAND_INS_MAX];
        int count, watch_count, stand_in_count;
        int culprit;
        char text[4096]; /* of a file in /proc, or of a directory */
} state = {.culprit = -1};

int open_files_culprit(void)
{
        return state.culprit;
}

const int *open_files_stand_ins(int *ret_count)
{
        *ret_count = state.stand_in_count;
        return state.stand_ins;
}

/* Whether two descriptors of one file are one open file: then they have one offset. */
static bool is_same_open_file(const struct file *file, int fd)
{
        long there = SYS_3(__NR_lseek, fd, 0, SEEK_CUR);

        SYS_3(__NR_lseek, file->fd, file->offset + 1, SEEK_SET);
        bool same = SYS_3(__NR_lseek, fd, 0, SEEK_CUR) == file->offset + 1 && there == file->offset;
        SYS_3(__NR_lseek, file->fd, file->offset, SEEK_SET);
        return same;
}

static struct file *add(enum kind kind, int fd, const struct stat *status)
{
        struct file *file = state.count < FILES_MAX ? &state.files[state.count++] : NULL;

        if (!file)
                return NULL;
        *file = (struct file){.kind = kind, .fd = fd, .same_as = -1, .device = status->st_dev, .inode = status->st_ino};
        file->descriptor_flags = SYS_3(__NR_fcntl, fd, F_GETFD, 0);
        file->flags = SYS_3(__NR_fcntl, fd, F_GETFL, 0);
        return file;
}

static void find_same(struct file *file)
{
        for (struct file *other = state.files; other < file; other++)
                if (other->kind == KIND_FILE && other->same_as < 0 && other->inode == file->inode &&
                    other->device == file->device && is_same_open_file(other, file->fd))
                        file->same_as = other->fd;
}

static int open_again(int fd, long flags)
{
        char path[PROC_PATH];

        proc_path(path, "/proc/self/fd/", fd);
        return (int)SYS_4(__NR_openat, AT_FDCWD, path,
                          (flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW | O_NOCTTY)) | O_CLOEXEC, 0);
}

static const char *read_info(int fd)
{
        char path[PROC_PATH];

        proc_path(path, "/proc/self/fdinfo/", fd);
        return proc_read(path, state.text, sizeof(state.text)) > 0 ? state.text : NULL;
}

static enum touch_refusal keep_file(int fd, const struct stat *status)
{
        struct file *file = add(KIND_FILE, fd, status);
        const char *info = read_info(fd);

        if (!file)
                return TOUCH_TOO_MANY;
        if (file->flags & O_PATH) {
                state.count--; /* it has no offset */
                return TOUCH_FINE;
        }
        if (!info)
                return TOUCH_CLOSED_FILE;
        if (proc_line(info, "lock:"))
                return TOUCH_LOCKS;
        if (status->st_nlink == 0 && (file->flags & O_ACCMODE) != O_RDONLY) {
                state.count--; /* it stays the same open file */
                return guard_shares_temporary_files() ? TOUCH_FINE : TOUCH_TEMPORARY_FILE;
        }
        file->offset = SYS_3(__NR_lseek, fd, 0, SEEK_CUR);
        find_same(file);
        int again = open_again(fd, file->flags);
        if (again < 0)
                return TOUCH_CLOSED_FILE;
        sys_close(again);
        return TOUCH_FINE;
}

static enum touch_refusal keep_epoll(int fd, const struct stat *status)
{
        const char *info = read_info(fd);

        if (!add(KIND_EPOLL, fd, status))
                return TOUCH_TOO_MANY;
        if (!info)
                return TOUCH_CLOSED_FILE;
        for (const char *line = proc_line(info, "tfd:"); line; line = proc_line(line, "tfd:")) {
                if (state.watch_count == WATCHES_MAX)
                        return TOUCH_TOO_MANY;
                struct watch *watch = &state.watches[state.watch_count++];
                watch->epoll_fd = fd;
                watch->fd = (int)proc_number(line, "tfd:", 10);
                watch->event.events = (uint32_t)proc_number(line, "events:", 16);
                watch->event.data.u64 = proc_number(line, "data:", 16);
        }
        return TOUCH_FINE;
}

/* What is no file of a file system. */
static enum touch_refusal keep_anonymous(int fd, const struct stat *status)
{
        char path[PROC_PATH];
        char name[64];

        proc_path(path, "/proc/self/fd/", fd);
        long length = SYS_4(__NR_readlinkat, AT_FDCWD, path, name, sizeof(name) - 1);
        if (length < 0)
                return TOUCH_CLOSED_FILE;
        name[length] = '\0';
        if (proc_is(name, "anon_inode:[eventpoll]"))
                return keep_epoll(fd, status);
        if (proc_is(name, "anon_inode:[io_uring]"))
                return TOUCH_RINGS;
        if (proc_is(name, "anon_inode:[eventfd]"))
                return channels_add(CHANNEL_EVENT, fd, status) ? TOUCH_FINE : TOUCH_TOO_MANY;
        /* A signalfd reads the signals of whoever reads it. */
        if (proc_is(name, "anon_inode:[signalfd]"))
                return TOUCH_FINE;
        return proc_is(name, "anon_inode:[timerfd]") ? TOUCH_TIMER : TOUCH_SHARED_OBJECT;
}

/* A datagram socket is syslog's, or a resolver's: each datagram is whole. */
static enum touch_refusal keep_socket(int fd, const struct stat *status)
{
        int type = 0, domain = 0, listens = 0;

        if (stand_in_is_at(fd)) {
                if (state.stand_in_count == STAND_INS_MAX)
                        return TOUCH_TOO_MANY;
                state.stand_ins[state.stand_in_count++] = fd;
                return TOUCH_FINE;
        }
        if (sys_socket_option(fd, SO_TYPE, &type) == 0 && type == SOCK_DGRAM)
                return TOUCH_FINE;
        if (sys_socket_option(fd, SO_ACCEPTCONN, &listens) == 0 && listens)
                return TOUCH_LISTENER;
        if (sys_socket_option(fd, SO_DOMAIN, &domain) < 0 || domain != AF_UNIX || !sys_has_peer(fd))
                return TOUCH_CONNECTION;
        return channels_add(CHANNEL_SOCKET, fd, status) ? TOUCH_FINE : TOUCH_TOO_MANY;
}

static enum touch_refusal keep(int fd)
{
        struct stat status = {0};

        if (fd < FIRST || guard_has(fd) || sys_fstat(fd, &status) != 0)
                return TOUCH_FINE;
        if (!S_ISCHR(status.st_mode) && !stand_in_is_at(fd) && channels_is_stderr(fd, &status))
                return channels_add(CHANNEL_STDERR, fd, &status) ? TOUCH_FINE : TOUCH_TOO_MANY;
        switch (status.st_mode & S_IFMT) {
        case S_IFREG:
        case S_IFDIR:
                return keep_file(fd, &status);
        case S_IFSOCK:
                return keep_socket(fd, &status);
        case S_IFCHR:
        case S_IFBLK:
                return TOUCH_FINE;
        case S_IFIFO:
                return channels_add(CHANNEL_PIPE, fd, &status) ? TOUCH_FINE : TOUCH_TOO_MANY;
        default:
                return keep_anonymous(fd, &status);
        }
}

enum touch_refusal open_files_keep(void)
{
        enum touch_refusal refusal = TOUCH_FINE;
        struct proc_fds fds;

        state.count = state.watch_count = state.stand_in_count = 0;
        state.culprit = -1;
        channels_begin();
        proc_fds_begin(&fds);
        for (int fd = proc_fds_next(&fds); fd >= 0 && refusal == TOUCH_FINE; fd = proc_fds_next(&fds))
                if (fd != fds.directory && (refusal = keep(fd)) != TOUCH_FINE && refusal != TOUCH_TOO_MANY)
                        state.culprit = fd;
        proc_fds_end(&fds);
        return refusal == TOUCH_FINE ? channels_settle(&state.culprit) : refusal;
}

static bool renew(const struct file *file)
{
        int again;

        if (file->same_as >= 0)
                again = file->same_as;
        else if (file->kind == KIND_EPOLL)
                again = (int)SYS_1(__NR_epoll_create1, EPOLL_CLOEXEC);
        else
                again = open_again(file->fd, file->flags);
        if (again < 0)
                return false;
        if (file->kind == KIND_FILE && file->same_as < 0)
                SYS_3(__NR_lseek, again, file->offset, SEEK_SET);
        sys_put(again, file->fd, file->descriptor_flags);
        if (file->same_as < 0)
                sys_close(again);
        return true;
}

bool open_files_renew(void)
{
        for (int i = 0; i < state.count; i++)
                if (!renew(&state.files[i]))
                        return false;
        if (!channels_renew())
                return false;
        for (int i = 0; i < state.watch_count; i++) {
                const struct watch *watch = &state.watches[i];
                SYS_4(__NR_epoll_ctl, watch->epoll_fd, EPOLL_CTL_ADD, watch->fd, &watch->event);
        }
        return true;
}
